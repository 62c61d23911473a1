# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Loopback ports that lead to <{ client.server_names }> over qrexec, on demand. In <{ client.name }>.
#
# Execute: sudo qubesctl --skip-dom0 --targets=<{ client.name }> state.apply openclaw.client

openclaw-client-forward:
  file.managed:
    - name: /usr/local/bin/openclaw-tcp-forward
    - source: salt://openclaw/<{ client.name }>/files/usr/local/bin/openclaw-tcp-forward
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

openclaw-client-units:
  file.managed:
    - names:
<% for forward in client.forwards %>
      - /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.socket:
        - source: salt://openclaw/<{ client.name }>/files/home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.socket
      - /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.service:
        - source: salt://openclaw/<{ client.name }>/files/home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.service
<% endfor %>
    - user: user
    - group: user
    - mode: '0644'
    - makedirs: True

openclaw-client-enabled:
  file.symlink:
    - names:
<% for forward in client.forwards %>
      - /home/user/.config/systemd/user/sockets.target.wants/openclaw-client-<{ forward.port }>.socket:
        - target: /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.socket
<% endfor %>
    - user: user
    - group: user
    - makedirs: True

openclaw-client-desktop:
  file.managed:
    - names:
<% for forward in client.forwards if forward.dashboard %>
      - /home/user/.local/share/applications/openclaw-dashboard-<{ forward.port }>.desktop:
        - source: salt://openclaw/<{ client.name }>/files/home/user/.local/share/applications/openclaw-dashboard-<{ forward.port }>.desktop
<% endfor %>
    - user: user
    - group: user
    - mode: '0644'
    - makedirs: True

openclaw-client-session:
  cmd.run:
    - name: systemctl start user@1000.service
    - unless: systemctl --quiet is-active user@1000.service

# Ports of earlier configurations.
openclaw-client-stale:
  cmd.run:
    - name: >-
        find /home/user/.config/systemd/user -maxdepth 1 -name 'openclaw-client-*'
<% for forward in client.forwards %>
        ! -name 'openclaw-client-<{ forward.port }>.*'
<% endfor %>
        -printf '%f\n' | xargs systemctl --user disable --now &&
        find /home/user/.config/systemd/user /home/user/.local/share/applications -maxdepth 1
        \( -name 'openclaw-client-*' -o -name 'openclaw-dashboard-*.desktop' \)
<% for forward in client.forwards %>
        ! -name 'openclaw-*-<{ forward.port }>.*'
<% endfor %>
        -delete && systemctl --user daemon-reload
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - onlyif: >-
        find /home/user/.config/systemd/user -maxdepth 1 -name 'openclaw-client-*'
<% for forward in client.forwards %>
        ! -name 'openclaw-client-<{ forward.port }>.*'
<% endfor %>
        | grep -q .
    - require:
      - cmd: openclaw-client-session
      - file: openclaw-client-desktop

# A socket is not started while its service runs.
openclaw-client-restart:
  cmd.run:
    - name: >-
        systemctl --user daemon-reload && systemctl --user stop 'openclaw-client-*'
        && systemctl --user start <{ client.sockets | join(" ") }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - require:
      - file: openclaw-client-enabled
      - file: openclaw-client-forward
      - cmd: openclaw-client-session
      - cmd: openclaw-client-stale
    - onchanges:
      - file: openclaw-client-units

openclaw-client-start:
  cmd.run:
    - name: systemctl --user start <{ client.sockets | join(" ") }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - unless:
<% for socket in client.sockets %>
      - systemctl --user --quiet is-active <{ socket }>
<% endfor %>
    - require:
      - cmd: openclaw-client-restart
