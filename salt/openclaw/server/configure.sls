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
# Keys that are where OpenClaw has all of them, whoever its provider is, go where the gateway gets
# those of its providers only. No key is shown.
openclaw-configure-keys:
  cmd.run:
    - name: openclaw-key move
    - runas: user
    - onlyif: >-
        grep -qsE
<% for key in keys %>
        -e '^\s*(export\s+)?<{ key.variable }>\s*[=:]\s*\S'
<% endfor %>
        /home/user/.openclaw/.env /home/user/.config/openclaw/gateway.env
    - require:
      - file: openclaw-configure-env

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
# the server safe. What is set back is named, not shown: what is in the file may be secret.
openclaw-configure-json:
  cmd.run:
    - name: openclaw-settings apply
    - runas: user
    - unless: openclaw-settings check
    - require:
      - file: openclaw-configure-state
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
<% for unit in server.other_units %>

# The service of a provider that this server does not use.
openclaw-configure-no-<{ unit }>:
  cmd.run:
    - name: systemctl --user disable --now <{ unit }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - onlyif: test -e /home/user/.config/systemd/user/<{ unit }>
  file.absent:
    - name: /home/user/.config/systemd/user/<{ unit }>
    - require:
      - cmd: openclaw-configure-no-<{ unit }>
<% endfor %>
<% if server.boot_script %>

openclaw-configure-boot:
  file.managed:
    - name: /rw/config/rc.local.d/50-openclaw.rc
    - source: salt://openclaw/<{ server.name }>/files/rw/config/rc.local.d/50-openclaw.rc
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

openclaw-configure-boot-now:
  cmd.run:
    - name: /rw/config/rc.local.d/50-openclaw.rc
    - onchanges:
      - file: openclaw-configure-boot

# If it was not run at the last start, or failed.
openclaw-configure-boot-again:
  cmd.run:
    - name: /rw/config/rc.local.d/50-openclaw.rc
    - unless:
<% if server.class == "AppVM" %>
      - test -e /var/lib/systemd/linger/user
<% endif %>
<% if server.fence %>
      - nft list chain inet openclaw input | grep -q drop
<% endif %>
<% if server.opening %>
      - nft list chain ip qubes openclaw-input | grep -q accept
      - nft list chain ip qubes custom-input | grep -q openclaw-input
<% endif %>
    - require:
      - cmd: openclaw-configure-boot-now
<% else %>

openclaw-configure-boot:
  file.absent:
    - name: /rw/config/rc.local.d/50-openclaw.rc
<% endif %>
<% if not server.fence %>

openclaw-configure-no-fence:
  cmd.run:
    - name: nft delete table inet openclaw
    - onlyif: nft list table inet openclaw
<% endif %>
<% if not server.opening %>

openclaw-configure-no-open-ports:
  cmd.run:
    - name: nft flush chain ip qubes openclaw-input
    - onlyif: nft list chain ip qubes openclaw-input | grep -q accept
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
# The user's services run without a login.
openclaw-configure-linger:
  cmd.run:
    - name: loginctl enable-linger user && systemctl start user@1000.service
    - unless: test -e /var/lib/systemd/linger/user

openclaw-configure-restart:
  cmd.run:
    - name: >-
        systemctl --user daemon-reload
        && systemctl --user stop <{ server.units | join(" ") }>
        && systemctl --user start --no-block <{ server.units | join(" ") }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - require:
      - cmd: openclaw-configure-linger
      - file: openclaw-configure-enabled
<% if server.opening %>
      - test: openclaw-configure-address
<% endif %>
    - onchanges:
      - openclaw-configure-token
<% if server.certificate %>
      - cmd: openclaw-configure-certificate
<% endif %>
      - cmd: openclaw-configure-keys
      - cmd: openclaw-configure-json
<% for file in server.files %>
      - file: openclaw-configure-<{ file.id }>
<% endfor %>

# One that waits for a key or a login is starting.
openclaw-configure-start:
  cmd.run:
    - name: systemctl --user start --no-block <{ server.units | join(" ") }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - unless:
<% for unit in server.units %>
      - systemctl --user show --property=ActiveState --value <{ unit }> | grep -qxE 'active|activating'
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

# A service that runs may yet not serve: another program may have its port. The gateway takes up to
# a minute to start.
<% for service in server.services %>
<% if not loop.first %>

<% endif %>
openclaw-configure-answers-<{ service.unit }>:
  cmd.run:
    - name: >-
        timeout 180 sh -c 'until curl -fsS -m 9 -o /dev/null <% if service.certificate %>--cacert <{ service.certificate }> <% endif %><{ service.url }>; do sleep 1; done' 2>/dev/null
        || { echo '<{ service.unit }> does not answer at <{ service.url }>. Its last words:';
        journalctl -n 10 -o cat _SYSTEMD_USER_UNIT=<{ service.unit }>; exit 1; }
    - unless: curl -fsS -m 9 -o /dev/null <% if service.certificate %>--cacert <{ service.certificate }> <% endif %><{ service.url }>
<% if server.key and service.unit == "openclaw-gateway.service" %>
    - onlyif: test -s /home/user/.openclaw/keys/<{ server.key.provider }>
<% endif %>
    - require:
      - cmd: openclaw-configure-start
<% endfor %>
