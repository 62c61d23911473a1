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
  service.running:
    - name: user@1000

# Ports of earlier configurations.
openclaw-client-stale:
  file.tidied:
    - name: /home/user/.config/systemd/user
    - matches:
      - openclaw-client-
    - exclude:
<% for forward in client.forwards %>
      - openclaw-client-<{ forward.port }>[.]
<% endfor %>
    - onlyif: test -d /home/user/.config/systemd/user
    - require:
      - file: openclaw-client-units

openclaw-client-stale-desktop:
  file.tidied:
    - name: /home/user/.local/share/applications
    - matches:
      - openclaw-dashboard-
    - exclude:
<% for forward in client.forwards if forward.dashboard %>
      - openclaw-dashboard-<{ forward.port }>[.]
<% endfor %>
    - onlyif: test -d /home/user/.local/share/applications
    - require:
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
      - service: openclaw-client-session
    - onchanges:
      - file: openclaw-client-units
      - file: openclaw-client-stale

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
