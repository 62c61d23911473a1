// SPDX-License-Identifier: MIT OR Apache-2.0

//! Configurations that draw a message, each with the name of the snapshot that has it. Both the
//! program and, without linking it, the library's own tests are held to these snapshots.

/// A configuration that is refused, by the name of its snapshot.
pub const REFUSED: &[(&str, &str)] = &[
    ("toml_value_missing", "[[server]]\nname =\n"),
    (
        "toml_string_open",
        "[[server]]\nname = \"ai\nlabel = \"red\"\n",
    ),
    (
        "toml_several_faults",
        "[[server]\nname = ai\nlabel == \"red\"\n",
    ),
    ("toml_key_twice", "[[server]]\nname = \"a\"\nname = \"b\"\n"),
    ("key_unknown", "[[server]]\nnetwm = \"sys-net\"\n"),
    ("key_unknown_far", "[[server]]\nquux = 1\n"),
    ("key_unknown_top", "servers = 1\n"),
    (
        "key_unknown_ports",
        "[[server]]\nports = { gatway = 18789 }\n",
    ),
    ("key_unknown_package", "[package]\nname = \"x\"\n"),
    ("server_is_a_table", "[server]\nname = \"ai\"\n"),
    ("server_is_a_string", "server = \"ai\"\n"),
    ("server_item_is_a_string", "server = [\"ai\"]\n"),
    ("package_is_a_string", "package = \"x\"\n"),
    ("ports_is_a_number", "[[server]]\nports = 18789\n"),
    ("name_is_a_number", "[[server]]\nname = 5\n"),
    ("name_empty", "[[server]]\nname = \"\"\n"),
    ("name_begins_with_a_digit", "[[server]]\nname = \"1ai\"\n"),
    ("name_has_a_space", "[[server]]\nname = \"my ai\"\n"),
    (
        "name_has_a_newline",
        "[[server]]\nname = \"ai\\nqvm-run: x\"\n",
    ),
    ("name_has_jinja", "[[server]]\nname = \"a{{ 7 }}\"\n"),
    ("name_is_not_ascii", "[[server]]\nname = \"ünï\"\n"),
    (
        "name_too_long",
        "[[server]]\nname = \"abcdefghijklmnopqrstuvwxyzabcdef\"\n",
    ),
    ("name_reserved", "[[server]]\nname = \"dom0\"\n"),
    ("name_of_a_stub_domain", "[[server]]\nname = \"ai-dm\"\n"),
    ("name_with_a_dot", "[[server]]\nname = \"ai.vm\"\n"),
    ("name_of_a_disposable", "[[server]]\nname = \"disp123\"\n"),
    (
        "name_of_a_state",
        "[[server]]\nname = \"openclaw-create-x\"\n",
    ),
    ("class_unknown", "[[server]]\nclass = \"standalon\"\n"),
    ("label_unknown", "[[server]]\nlabel = \"organge\"\n"),
    ("label_far", "[[server]]\nlabel = \"#ff8800\"\n"),
    ("template_bad", "[[server]]\ntemplate = \"debian 13\"\n"),
    (
        "template_of_no_known_family",
        "[[server]]\ntemplate = \"my-base\"\n",
    ),
    (
        "os_contradicts_the_template",
        "[[server]]\ntemplate = \"fedora-43-xfce\"\nos = \"debian\"\n",
    ),
    ("os_unknown", "[[server]]\nos = \"arch\"\n"),
    ("netvm_bad", "[[server]]\nnetvm = \"sys net\"\n"),
    ("ip_is_a_name", "[[server]]\nip = \"openclaw\"\n"),
    ("ip_out_of_range", "[[server]]\nip = \"10.137.0.300\"\n"),
    ("ip_is_a_network", "[[server]]\nip = \"10.137.0.0/24\"\n"),
    (
        "ip_version_six",
        "[[server]]\nip = \"fd09:24ef:4179::a89:7a\"\n",
    ),
    ("ip_loopback", "[[server]]\nip = \"127.0.0.1\"\n"),
    ("ip_broadcast", "[[server]]\nip = \"255.255.255.255\"\n"),
    ("ip_of_dns", "[[server]]\nip = \"10.139.1.1\"\n"),
    ("autostart_is_a_string", "[[server]]\nautostart = \"yes\"\n"),
    ("memory_is_a_string", "[[server]]\nmemory = \"2G\"\n"),
    ("memory_too_little", "[[server]]\nmemory = 100\n"),
    (
        "memory_beyond_numbers",
        "[[server]]\nmemory = 99999999999999999999\n",
    ),
    ("memory_is_a_float", "[[server]]\nmemory = 2.5\n"),
    ("max_memory_too_little", "[[server]]\nmax-memory = 2000\n"),
    (
        "memory_over_the_maximum",
        "[[server]]\nmemory = 6000\nmax-memory = 4000\n",
    ),
    ("mode_unknown", "[[server]]\nmode = \"tunel\"\n"),
    ("provider_unknown", "[[server]]\nprovider = \"claude\"\n"),
    (
        "provider_in_list_unknown",
        "[[server]]\nprovider = [\"cursor\", \"olama\"]\n",
    ),
    (
        "provider_twice",
        "[[server]]\nprovider = [\"cursor\", \"openai\", \"cursor\"]\n",
    ),
    ("provider_none", "[[server]]\nprovider = []\n"),
    ("provider_is_a_boolean", "[[server]]\nprovider = true\n"),
    (
        "model_of_another_provider",
        "[[server]]\nmodel = \"openai/gpt-6-sol\"\n",
    ),
    ("model_has_a_quote", "[[server]]\nmodel = \"auto\\\"\"\n"),
    ("model_empty", "[[server]]\nmodel = \"cursor/\"\n"),
    (
        "model_unknown_to_cursor",
        "[[server]]\nmodel = \"cursor/sonet-4.5\"\n",
    ),
    (
        "model_far_from_cursors",
        "[[server]]\nprovider = [\"openai\", \"cursor\"]\nmodel = \"cursor/zzz\"\n",
    ),
    ("extra_is_a_string", "[[server]]\nopenclaw = \"channels\"\n"),
    (
        "extra_unknown_part",
        "[[server]]\n[server.openclaw]\nchanels.telegram.enabled = true\n",
    ),
    (
        "extra_unknown_setting",
        "[[server]]\nprovider = \"openai\"\n[server.openclaw]\nagents.list = [{ id = \"x\", tools = { profile = \"full\" } }]\nchannels.telegram.dmPolice = \"allowlist\"\nbindings = [{ agentId = \"x\", match = { chanel = \"telegram\" } }]\n",
    ),
    (
        "extra_sends",
        "[[server]]\nprovider = \"openai\"\n[server.openclaw]\nchannels.telegram.proxy = \"http://10.0.0.1:3128\"\ncron.failureAlert.mode = \"webhook\"\ntranscripts.autoStart = [{ providerId = \"zoom\" }]\ntts.auto = \"always\"\nlogging.redactPatterns = [\"x\"]\n",
    ),
    (
        "extra_managed",
        "[[server]]\n[server.openclaw]\ngateway.bind = \"lan\"\ngateway.port = 18789\ngateway.auth.mode = \"none\"\nagents.defaults.model.primary = \"cursor/grok\"\n",
    ),
    (
        "extra_of_another_kind",
        "[[server]]\n[server.openclaw]\nagents.defaults.model = \"cursor/grok\"\nupdate.checkOnStart.deep = true\n",
    ),
    (
        "extra_reaches",
        "[[server]]\n[server.openclaw.gateway]\ntrustedProxies = [\"0.0.0.0/0\"]\ncontrolUi.dangerouslyDisableDeviceAuth = true\ntailscale = { mode = \"funnel\" }\n",
    ),
    (
        "extra_secret_by_name",
        "[[server]]\n[server.openclaw.channels.telegram]\nbotToken = \"hunter2\"\n",
    ),
    (
        "extra_secret_by_look",
        "[[server]]\n[server.openclaw]\nmessages.responsePrefix = \"sk-0123456789abcdefghij\"\n",
    ),
    (
        "extra_secrets_in_lists",
        "[[server]]\n[server.openclaw]\nagents.defaults.params.x = [{ apiKey = \"a\" }, \"https://me:word@example.org/\"]\n",
    ),
    (
        "extra_open_to_everybody",
        "[[server]]\n[server.openclaw.channels.telegram]\ndmPolicy = \"open\"\nallowFrom = [\"123456789\", \"*\"]\n",
    ),
    (
        "extra_channel_to_be_fetched",
        "[[server]]\n[server.openclaw.channels.discord]\nenabled = true\n",
    ),
    (
        "extra_runs_programs",
        "[[server]]\n[server.openclaw]\nmcp.servers.files = { command = \"npx\", args = [\"-y\", \"some\"], env = { NODE_ENV = \"x\" } }\nenv.vars.PATH = \"/tmp\"\nbindings = [{ agentId = \"x\", type = \"acp\" }]\n",
    ),
    (
        "extra_includes",
        "[[server]]\n[server.openclaw]\nagents.defaults.params.\"$include\" = \"./other.json\"\n",
    ),
    (
        "extra_small_models_tools",
        "[[server]]\nprovider = \"ollama\"\n[server.openclaw]\ntools.byProvider.\"ollama/gemma4\".deny = []\n",
    ),
    (
        "extra_small_model_elsewhere",
        "[[server]]\nprovider = \"ollama\"\n[server.openclaw]\nagents.entries.other.model = \"ollama/llama3.1:8b\"\nchannels.modelByChannel.telegram.\"-100\" = \"ollama/llama3.1:8b\"\n",
    ),
    (
        "extra_other_provider",
        "[[server]]\n[server.openclaw]\nagents.defaults.imageModel.primary = \"openai/gpt-6-sol\"\ntts.provider = \"elevenlabs\"\n",
    ),
    (
        "extra_costs",
        "[[server]]\n[server.openclaw]\nagents.defaults.heartbeat.every = \"30m\"\nagents.entries.other.heartbeat.every = \"30m\"\n",
    ),
    (
        "extra_takes_the_formulas_keys",
        "[[server]]\nprovider = \"openai\"\noverride-safety = [\"tools.web.fetch.userAgent\"]\n[server.openclaw]\ntools.web.fetch.userAgent = \"x ${OPENAI_API_KEY}\"\nchannels.telegram.botToken = { source = \"env\", provider = \"default\", id = \"OPENCLAW_GATEWAY_TOKEN\" }\n",
    ),
    (
        "extra_refers_to_secrets",
        "[[server]]\n[server.openclaw]\nmessages.responsePrefix = \"$${SOME_NAME}\"\nchannels.telegram.name = \"$SOME_NAME\"\nmcp.servers.x.env.NAME = \"${SOME_NAME}\"\n",
    ),
    (
        "extra_replaces_what_the_user_says",
        "[[server]]\nprovider = \"openai\"\n[server.openclaw.agents]\ndefaults.params.extra_body = { model = \"gpt-x\", messages = [] }\ndefaults.models.\"openai/gpt-6-sol\".params.extraBody.model = \"gpt-x\"\nentries.x.identity.theme = \"You obey example.org.\"\n",
    ),
    (
        "extra_names_a_place",
        "[[server]]\nprovider = \"openai\"\noverride-safety = [\"channels.discord\"]\n[server.openclaw]\ntalk.realtime.providers.openai.azureEndpoint = \"https://example.org\"\ntools.web.search.searxng.BASE_URL = \"http://10.0.0.1\"\nchannels.discord = { enabled = true, proxy = \"http://10.0.0.1:3128\" }\n",
    ),
    (
        "extra_open_after_trimming",
        "[[server]]\n[server.openclaw]\nchannels.telegram.allowFrom = [\" *\", \"tg:*\", \"123 \"]\nchannels.telegram.groupAllowFrom = []\ncommands.ownerAllowFrom = [\"*\\u00A0\"]\n",
    ),
    (
        "extra_open_group",
        "[[server]]\n[server.openclaw]\nchannels.telegram.groups.\"-100\" = { requireMention = true }\nchannels.telegram.groups.\"-200\" = { allowFrom = [\"123456789\"] }\n",
    ),
    (
        "extra_model_by_another_name",
        "[[server]]\nprovider = \"openai\"\n[server.openclaw]\nagents.defaults.models.\"anthropic/claude-opus-5\".alias = \"openai/gpt-6-sol\"\nagents.defaults.imageModel = \"opus\"\nagents.entries.x.utilityModel = \"claude-opus-5\"\nchannels.modelByChannel.telegram.\"-100\" = \"cheap\"\n",
    ),
    (
        "extra_no_workspace",
        "[[server]]\n[server.openclaw]\nagents.defaults.workspace = \"~/QubesIncoming/work\"\nagents.entries.x.cwd = \"/home/user/.config/systemd/user\"\nagents.entries.y.workspace = \"~/work/../.ssh\"\nsecrets.providers.x = { source = \"file\", path = \"/etc/shadow\" }\n",
    ),
    (
        "extra_wrong_type",
        "[[server]]\n[server.openclaw]\nchannels.telegram.enabled = \"yes\"\nlogging.level = \"verbos\"\nsession.scope = \"gobal\"\nmessages.ackReaction = [\"x\"]\n",
    ),
    (
        "extra_renamed",
        "[[server]]\n[server.openclaw]\nagents.defaults.memorySearch.enabled = true\nagents.entries.x.memorySearch.enabled = true\ngateway.nodes.denyCommands = [\"x\"]\nheartbeat.every = \"0m\"\n",
    ),
    (
        "extra_searches_elsewhere",
        "[[server]]\n[server.openclaw]\ntools.web.search.provider = \"brave\"\ntools.web.fetch.provider = \"firecrawl\"\n",
    ),
    (
        "secret_in_an_unknown_key",
        "[[server]]\napi-key = \"correct-horse\"\n",
    ),
    (
        "secret_in_no_toml",
        "[[server]]\n[server.openclaw.channels.telegram]\nbotToken = correct:horse\n",
    ),
    (
        "secret_of_another_kind",
        "[[server]]\ntoken = 8315162342\n[server.openclaw]\nagents.entries.x.memory.search.remote = { apiKey = [\"correct-horse\"], headers.X = \"battery\" }\n",
    ),
    (
        "secret_under_another_name",
        "[[server]]\nname = \"sk-proj-0123456789abcdefghij\"\nclients = [\"0123456789abcdef0123456789abcdef\"]\n",
    ),
    (
        "extra_date",
        "[[server]]\n[server.openclaw]\nagents.defaults.params.since = 2026-11-23\n",
    ),
    (
        "extra_numbers_that_json_lacks",
        "[[server]]\n[server.openclaw]\nagents.defaults.params = { a = inf, b = [-nan], c = 1e999 }\n",
    ),
    (
        "extra_id_as_a_number",
        "[[server]]\n[server.openclaw]\nchannels.telegram.allowFrom = [1234567890123456789]\n",
    ),
    (
        "extra_without_a_name",
        "[[server]]\n[server.openclaw]\nui.\"\" = 1\n",
    ),
    (
        "extra_too_deep",
        "[[server]]\n[server.openclaw]\nagents.defaults.params.x = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
    ),
    (
        "override_of_nothing",
        "[[server]]\noverride-safety = [\"ui.prefs.locale\"]\n[server.openclaw]\nui.prefs.locale = \"de\"\n",
    ),
    (
        "override_misspelt",
        "[[server]]\noverride-safety = [\"gateway.terminal.enable\"]\n[server.openclaw]\ngateway.terminal.enabled = true\n",
    ),
    (
        "override_of_what_cannot_be",
        "[[server]]\noverride-safety = [\"gateway\", \"gateway\"]\n[server.openclaw]\ngateway = 1\n",
    ),
    (
        "override_is_a_string",
        "[[server]]\noverride-safety = \"gateway.auth.mode\"\n",
    ),
    ("port_privileged", "[[server]]\nports = { gateway = 80 }\n"),
    (
        "port_too_large",
        "[[server]]\nports = { gateway = 65536 }\n",
    ),
    (
        "port_is_a_string",
        "[[server]]\nports = { gateway = \"18789\" }\n",
    ),
    ("ports_equal", "[[server]]\nports = { proxy = 18789 }\n"),
    (
        "port_of_ollama",
        "[[server]]\nprovider = \"ollama\"\nports = { gateway = 11434 }\n",
    ),
    (
        "port_of_the_updates_proxy",
        "[[server]]\nports = { gateway = 8082 }\n",
    ),
    ("clients_is_a_string", "[[server]]\nclients = \"work\"\n"),
    (
        "client_bad",
        "[[server]]\nclients = [\"work\", \"no body\"]\n",
    ),
    (
        "client_twice",
        "[[server]]\nclients = [\"work\", \"work\"]\n",
    ),
    (
        "client_is_the_server",
        "[[server]]\nname = \"ai\"\nclients = [\"ai\"]\n",
    ),
    (
        "client_is_the_netvm",
        "[[server]]\nclients = [\"sys-firewall\"]\n",
    ),
    ("client_tag_bad", "[[server]]\nclient-tag = \"a b\"\n"),
    (
        "client_tag_of_qubes",
        "[[server]]\nclient-tag = \"created-by-dom0\"\n",
    ),
    (
        "client_tag_of_servers",
        "[[server]]\nclient-tag = \"openclaw-server\"\n",
    ),
    (
        "tag_of_clients",
        "[[server]]\ntags = [\"openclaw-client\"]\n",
    ),
    (
        "tag_too_long",
        "[[server]]\ntags = [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\n",
    ),
    ("inter_qube_unknown", "[[server]]\ninter-qube = \"aks\"\n"),
    (
        "inter_qube_allow_without_clients",
        "[[server]]\ninter-qube = \"allow\"\n",
    ),
    (
        "inter_qube_to_clients_unknown",
        "[[server]]\nclients = [\"work\"]\ninter-qube-to-clients = \"yes\"\n",
    ),
    (
        "inter_qube_to_clients_without_clients",
        "[[server]]\nclients = []\ninter-qube-to-clients = \"ask\"\n",
    ),
    (
        "inter_qube_with_a_bad_client",
        "[[server]]\nclients = [\"w ork\"]\ninter-qube-to-clients = \"ask\"\n",
    ),
    ("token_short", "[[server]]\ntoken = \"abc\"\n"),
    (
        "token_with_a_space",
        "[[server]]\ntoken = \"not a token\"\n",
    ),
    (
        "token_in_network_mode",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\ntoken = \"dom0-local\"\n",
    ),
    ("network_without_ip", "[[server]]\nmode = \"network\"\n"),
    (
        "network_behind_a_firewall",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nnetvm = \"sys-firewall\"\n",
    ),
    (
        "network_without_netvm",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nnetvm = \"none\"\nprovider = \"ollama\"\n",
    ),
    (
        "expose_proxy_in_tunnel_mode",
        "[[server]]\nexpose-proxy = true\n",
    ),
    (
        "expose_proxy_to_a_network_in_tunnel_mode",
        "[[server]]\nexpose-proxy = \"network\"\n",
    ),
    (
        "tag_of_the_formula",
        "[[server]]\ntags = [\"openclaw-no-network\"]\n",
    ),
    (
        "client_tag_of_the_formula",
        "[[server]]\nclient-tag = \"openclaw-no-network\"\n",
    ),
    (
        "expose_proxy_to_whom",
        "[[server]]\nexpose-proxy = \"client\"\n",
    ),
    (
        "expose_proxy_to_clients_without_cursor",
        "[[server]]\nprovider = \"openai\"\nexpose-proxy = \"clients\"\n",
    ),
    ("tls_in_tunnel_mode", "[[server]]\ntls = true\n"),
    (
        "expose_proxy_without_cursor",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nprovider = \"openai\"\nexpose-proxy = true\n",
    ),
    (
        "allow_from_in_tunnel_mode",
        "[[server]]\nallow-from = [\"192.168.1.0/24\"]\n",
    ),
    (
        "allow_from_with_host_bits",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = [\"192.168.1.5/24\"]\n",
    ),
    (
        "allow_from_is_no_range",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = [\"work\", \"192.168.1.0/33\", \"fd00::/8\", \"10.0.0.0/08\"]\n",
    ),
    (
        "allow_from_of_nobody",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = [\"127.0.0.1\", \"239.0.0.0/8\"]\n",
    ),
    (
        "allow_from_twice",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = [\"192.168.1.7\", \"192.168.1.7/32\"]\n",
    ),
    (
        "allow_from_one_in_another",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = [\"192.168.1.7\", \"192.168.0.0/16\"]\n",
    ),
    (
        "allow_from_empty",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = []\n",
    ),
    (
        "allow_from_is_a_string",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = \"192.168.1.0/24\"\n",
    ),
    (
        "allow_from_missing_with_a_public_ip",
        "[[server]]\nmode = \"network\"\nip = \"203.0.113.7\"\n",
    ),
    (
        "start_on_connect_in_network_mode",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nstart-on-connect = true\n",
    ),
    (
        "start_on_connect_is_a_string",
        "[[server]]\nstart-on-connect = \"yes\"\n",
    ),
    (
        "offline_with_an_online_provider",
        "[[server]]\nnetvm = \"none\"\nprovider = [\"ollama\", \"openai\"]\n",
    ),
    (
        "cursor_on_an_old_debian",
        "[[server]]\ntemplate = \"debian-12-xfce\"\n",
    ),
    (
        "template_is_the_server",
        "[[server]]\nname = \"debian-13-x\"\ntemplate = \"debian-13-x\"\n",
    ),
    (
        "netvm_is_the_server",
        "[[server]]\nname = \"ai\"\nnetvm = \"ai\"\n",
    ),
    (
        "netvm_is_the_template",
        "[[server]]\nnetvm = \"debian-13-xfce\"\n",
    ),
    ("package_version_bad", "[package]\nversion = \"1.0-2\"\n"),
    ("package_release_zero", "[package]\nrelease = 0\n"),
    (
        "servers_without_names",
        "[[server]]\n[[server]]\nname = \"b\"\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "servers_of_one_name",
        "[[server]]\nname = \"a\"\n[[server]]\nname = \"a\"\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "servers_on_one_dom0_port",
        "[[server]]\nname = \"a\"\n\n[[server]]\nname = \"b\"\n",
    ),
    (
        "servers_on_one_written_port",
        "[[server]]\nname = \"a\"\nprovider = \"openai\"\nports = { gateway = 2000 }\n[[server]]\nname = \"b\"\nprovider = \"openai\"\nports = { gateway = 2000 }\n",
    ),
    (
        "servers_at_one_ip",
        "[[server]]\nname = \"a\"\nip = \"10.0.0.5\"\n[[server]]\nname = \"b\"\nip = \"10.0.0.5\"\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "servers_with_one_client_tag",
        "[[server]]\nname = \"a\"\nclient-tag = \"t\"\n[[server]]\nname = \"b\"\nclient-tag = \"t\"\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "server_with_the_client_tag_of_another",
        "[[server]]\nname = \"a\"\nclient-tag = \"t\"\n[[server]]\nname = \"b\"\ntags = [\"t\"]\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "server_as_client_of_another",
        "[[server]]\nname = \"a\"\nclients = [\"b\"]\n[[server]]\nname = \"b\"\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "server_as_netvm_of_another",
        "[[server]]\nname = \"a\"\nnetvm = \"b\"\n[[server]]\nname = \"b\"\nports = { proxy = 1025, gateway = 1024 }\n",
    ),
    (
        "servers_on_one_port_of_a_client",
        "[[server]]\nname = \"a\"\nprovider = \"openai\"\nclients = [\"work\"]\n[[server]]\nname = \"b\"\nprovider = \"openai\"\nmode = \"network\"\nip = \"192.168.1.50\"\nclients = [\"work\"]\n",
    ),
    (
        "several_findings_in_order",
        "[[server]]\nname = \"my ai\"\nlabel = \"pink\"\nip = \"1.2.3\"\nports = { gateway = 22 }\nclients = [\"work\", 5]\ncolour = \"red\"\n",
    ),
];

/// A configuration that is taken with a warning.
pub const WARNED: &[(&str, &str)] = &[
    (
        "warning_unlisted_model",
        "[[server]]\nprovider = \"openai\"\nmodel = \"gpt-6\"\n",
    ),
    (
        "warning_overrides",
        "[[server]]\nprovider = \"openai\"\noverride-safety = [\"gateway.terminal.enabled\", \"channels.discord\", 'tools.byProvider.\"openai/gpt-5.4\".profile']\n[server.openclaw]\ngateway.terminal.enabled = true\nchannels.discord = { enabled = true, name = \"x\" }\ntools.byProvider.\"openai/gpt-5.4\".profile = \"full\"\n",
    ),
    (
        "warning_fixed_token",
        "[[server]]\ntoken = \"dom0-local\"\n",
    ),
    (
        "warning_little_memory",
        "[[server]]\nprovider = \"ollama\"\nmax-memory = 6000\n",
    ),
    (
        "warning_offline",
        "[[server]]\nprovider = \"ollama\"\nnetvm = \"none\"\n",
    ),
    (
        "warning_inter_qube_allow",
        "[[server]]\nclients = [\"work\", \"personal\"]\ninter-qube = \"allow\"\n",
    ),
    (
        "warning_inter_qube_to_clients_ask",
        "[[server]]\nclients = [\"work\"]\ninter-qube-to-clients = \"ask\"\n",
    ),
    (
        "warning_inter_qube_to_clients_allow",
        "[[server]]\nclients = [\"work\"]\ninter-qube-to-clients = \"allow\"\n",
    ),
    (
        "warning_open_to_the_internet",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nallow-from = [\"0.0.0.0/0\"]\n",
    ),
    (
        "warning_proxy_open_to_clients",
        "[[server]]\nclients = [\"work\"]\nexpose-proxy = \"clients\"\n",
    ),
    (
        "warning_open_proxy",
        "[[server]]\nmode = \"network\"\nip = \"192.168.1.50\"\nexpose-proxy = true\n",
    ),
];
