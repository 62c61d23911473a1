# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Loopback ports that lead to <{ client.server_names }> over qrexec, on demand. In <{ client.name }>.
#
# Execute: sudo qubesctl --skip-dom0 --targets=<{ client.name }> state.apply openclaw.client

openclaw-client-units:
  file.managed:
    - names:
<% for forward in client.forwards %>
      - /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.socket:
        - source: salt://openclaw/<{ client.name }>/files/home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.socket
      - /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>@.service:
        - source: salt://openclaw/<{ client.name }>/files/home/user/.config/systemd/user/openclaw-client-<{ forward.port }>@.service
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

openclaw-client-session:
  cmd.run:
    - name: systemctl start user@1000.service
    - unless: systemctl --quiet is-active user@1000.service

openclaw-client-restart:
  cmd.run:
    - name: systemctl --user daemon-reload && systemctl --user restart <{ client.sockets }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - require:
      - file: openclaw-client-enabled
      - cmd: openclaw-client-session
    - onchanges:
      - file: openclaw-client-units
