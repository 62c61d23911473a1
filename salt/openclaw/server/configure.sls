# SPDX-License-Identifier: MIT OR Apache-2.0
#
# OpenClaw's configuration and services. In <{ server.name }>, for its user.
#
# Execute: sudo qubesctl --skip-dom0 --targets=<{ server.name }> state.apply openclaw.configure

openclaw-configure-state:
  file.directory:
    - name: /home/user/.openclaw
    - user: user
    - group: user
    - mode: '0700'

openclaw-configure-workspace:
  file.directory:
    - name: /home/user/.openclaw/workspace
    - user: user
    - group: user
    - mode: '0700'
    - require:
      - file: openclaw-configure-state

# The token, and variables of the user's own. What is in it stays, but for keys of providers.
openclaw-configure-env:
  file.managed:
    - name: /home/user/.openclaw/.env
    - user: user
    - group: user
    - mode: '0600'
    - replace: False
    - require:
      - file: openclaw-configure-state

<% if server.token %>
# The token that the configuration fixes.
openclaw-configure-token:
  file.keyvalue:
    - name: /home/user/.openclaw/.env
    - key: OPENCLAW_GATEWAY_TOKEN
    - value: '<{ server.token }>'
    - separator: '='
    - append_if_not_found: True
    - show_changes: False
    - require:
      - file: openclaw-configure-env
<% else %>
# The token is made here, of 32 random bytes, and is nowhere else.
<% if server.opening %>
# A short one, which may have been enough in tunnel mode, is replaced.
<% endif %>
openclaw-configure-token:
  cmd.run:
    - name: >-
        sed -i '/^OPENCLAW_GATEWAY_TOKEN=/d' /home/user/.openclaw/.env &&
        printf 'OPENCLAW_GATEWAY_TOKEN=%s\n' "$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')"
        >> /home/user/.openclaw/.env
    - runas: user
    - unless: grep -qE '^OPENCLAW_GATEWAY_TOKEN=.<% if server.opening %>{32}<% endif %>' /home/user/.openclaw/.env
    - require:
      - file: openclaw-configure-env
<% endif %>

<% if server.certificate %>
# The gateway's certificate and its key are made here, and are nowhere else. One that names the
# address stays, so that browsers that know it need not be told again; Apple's take none that lasts
# longer. Not by OpenClaw, whose own names no address.
openclaw-configure-certificate:
  cmd.run:
    - name: >-
        umask 077 && mkdir -p /home/user/.openclaw/gateway/tls && rm -f <{ server.certificate.file }> &&
        openssl req -x509 -config /dev/null -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
        -days 825 -subj /CN=<{ server.name }>
        -addext basicConstraints=critical,CA:FALSE
        -addext keyUsage=critical,digitalSignature
        -addext extendedKeyUsage=serverAuth
        -addext subjectAltName=IP:<{ server.ip }>,IP:127.0.0.1,DNS:localhost
        -keyout <{ server.certificate.key }> -out <{ server.certificate.file }>.new &&
        mv <{ server.certificate.file }>.new <{ server.certificate.file }>
    - runas: user
    - unless:
      - test -s <{ server.certificate.key }>
      - openssl x509 -in <{ server.certificate.file }> -noout -checkend 2592000
      - openssl x509 -in <{ server.certificate.file }> -noout -checkip <{ server.ip }> | grep -q 'does match'
    - require:
      - file: openclaw-configure-state

<% endif %>
# The settings of the configuration, which anybody may read: there is no secret in them.
openclaw-configure-settings:
  file.serialize:
    - name: /usr/local/share/openclaw/settings.json
    - serializer: json
    - serializer_opts:
      - indent: 2
      - sort_keys: False
      - ensure_ascii: False
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
    - dataset:
<{ server.openclaw_json | block_yaml(8) }>

# They are put into the user's file. Other settings of the user stay, unless they undo what keeps
# the server safe. What is set back is named, not shown: what is in the file may be secret. Keys that
# are where OpenClaw reads all of them, whoever its provider is, are moved to where the gateway gets
# those of its providers only. No key is shown.
openclaw-configure-json:
  cmd.run:
    - name: openclaw-settings apply && openclaw-key move
    - runas: user
    - unless:
      - openclaw-settings check
      - >-
        ! grep -qsE
<% for key in keys %>
        -e '^\s*(export\s+)?<{ key.variable }>\s*[=:]\s*\S'
<% endfor %>
        /home/user/.openclaw/.env /home/user/.config/openclaw/gateway.env
    - require:
      - file: openclaw-configure-env
      - file: openclaw-configure-settings
<% for file in server.files %>

openclaw-configure-<{ file.id }>:
  file.managed:
    - name: /home/user/<{ file.path }>
    - source: salt://openclaw/<{ server.name }>/files/home/user/<{ file.path }>
    - user: user
    - group: user
    - mode: '<{ file.mode }>'
    - makedirs: True
    - require:
      - file: openclaw-configure-state
<% endfor %>

openclaw-configure-enabled:
  file.symlink:
    - names:
<% for unit in server.units %>
      - /home/user/.config/systemd/user/default.target.wants/<{ unit }>:
        - target: /home/user/.config/systemd/user/<{ unit }>
<% endfor %>
    - user: user
    - group: user
    - makedirs: True
<% if server.other_units %>

# The services of providers that this server does not use.
openclaw-configure-others:
  file.absent:
    - names:
<% for unit in server.other_units %>
      - /home/user/.config/systemd/user/default.target.wants/<{ unit }>
      - /home/user/.config/systemd/user/<{ unit }>
<% endfor %>
<% endif %>
<% if server.boot_script %>

openclaw-configure-boot:
  file.managed:
    - name: /rw/config/rc.local.d/50-openclaw.rc
    - source: salt://openclaw/<{ server.name }>/files/rw/config/rc.local.d/50-openclaw.rc
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

# The script leaves a mark when it has done all: it runs again when it changed, or failed, or
# somebody has taken back what it did.
openclaw-configure-boot-now:
  cmd.run:
    - name: /rw/config/rc.local.d/50-openclaw.rc
    - unless:
      - test /run/openclaw-formula -nt /rw/config/rc.local.d/50-openclaw.rc
<% if server.fence %>
      - nft list chain inet openclaw input | grep -q drop
<% endif %>
<% if server.opening %>
      - nft list chain ip qubes openclaw-input | grep -q accept
      - nft list chain ip qubes custom-input | grep -q openclaw-input
<% endif %>
    - require:
      - file: openclaw-configure-boot
<% else %>

openclaw-configure-boot:
  file.absent:
    - name: /rw/config/rc.local.d/50-openclaw.rc

# What that script of an earlier configuration did.
openclaw-configure-no-rules:
  cmd.run:
    - name: |
        if nft list table inet openclaw; then nft delete table inet openclaw || exit; fi >/dev/null 2>&1
        if nft list chain ip qubes openclaw-input; then
            nft flush chain ip qubes openclaw-input
        fi >/dev/null 2>&1
    - onlyif: >-
        nft list table inet openclaw || nft list chain ip qubes openclaw-input | grep -q accept
<% endif %>

<% if server.opening %>
# Qubes gives a qube its address when it starts.
openclaw-configure-address:
  test.fail_without_changes:
    - comment: >-
        <{ server.name }> has not the address <{ server.ip }> yet, as it was running when that was
        set. In dom0: qvm-shutdown --wait <{ server.name }> && qvm-start <{ server.name }>, and
        apply again.
    - unless: ip -4 address show to <{ server.ip }> | grep -q .

<% endif %>
# The user's services run without a login. systemd looks whether the file is there; what is in it
# tells openclaw.clean that it is not the user's own.
openclaw-configure-linger:
  file.managed:
    - name: /var/lib/systemd/linger/user
    - contents: openclaw-formula
    - replace: False
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True

openclaw-configure-session:
  service.running:
    - name: user@1000
    - require:
      - file: openclaw-configure-linger

openclaw-configure-restart:
  cmd.run:
    - name: >-
        systemctl --user daemon-reload
        && systemctl --user stop 'openclaw-*.service'
        && systemctl --user start --no-block <{ server.units | join(" ") }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - require:
      - service: openclaw-configure-session
      - file: openclaw-configure-enabled
<% if server.opening %>
      - test: openclaw-configure-address
<% endif %>
    - onchanges:
      - openclaw-configure-token
<% if server.certificate %>
      - cmd: openclaw-configure-certificate
<% endif %>
      - cmd: openclaw-configure-json
<% if server.other_units %>
      - file: openclaw-configure-others
<% endif %>
<% for file in server.files %>
      - file: openclaw-configure-<{ file.id }>
<% endfor %>

# A unit that waits for a key or a login counts as activating: it is left alone. A service that runs
# may not serve yet: another program may have its port. The gateway takes up to a minute to start.
openclaw-configure-start:
  cmd.run:
    - name: |
        fail() {
            echo "$1 does not answer at $2. Its last words:"
            journalctl -n 10 -o cat _SYSTEMD_USER_UNIT="$1"
            exit 1
        }
        runuser -u user -- systemctl --user start --no-block <{ server.units | join(" ") }>
<% for service in server.services %>
<% if server.key and service.unit == "openclaw-gateway.service" %>
        # Without its key the gateway does not start.
        test -s /home/user/.openclaw/keys/<{ server.key.provider }> || exit 0
<% endif %>
        timeout 180 sh -c 'until curl -fsS -m 9 -o /dev/null <% if service.certificate %>--cacert <{ service.certificate }> <% endif %><{ service.url }>; do sleep 1; done' 2>/dev/null ||
            fail <{ service.unit }> <{ service.url }>
<% endfor %>
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - unless:
<% for unit in server.units %>
      - runuser -u user -- systemctl --user show --property=ActiveState --value <{ unit }> | grep -qxE 'active|activating'
<% endfor %>
<% for service in server.services %>
      - <% if server.key and service.unit == "openclaw-gateway.service" %>test ! -s /home/user/.openclaw/keys/<{ server.key.provider }> || <% endif %>curl -fsS -m 9 -o /dev/null <% if service.certificate %>--cacert <{ service.certificate }> <% endif %><{ service.url }>
<% endfor %>
    - require:
      - cmd: openclaw-configure-restart
<% if server.key %>

openclaw-configure-key:
  test.succeed_without_changes:
    - comment: >-
        The gateway waits for a key. In a terminal of <{ server.name }>: openclaw-key set <{ server.key.provider }>
    - unless: test -s /home/user/.openclaw/keys/<{ server.key.provider }>
<% endif %>
