# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What openclaw.clean does in <{ client.name }>.

openclaw-clean-sockets:
  cmd.run:
    - name: systemctl --user disable --now <{ client.sockets }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - onlyif: test -e /home/user/.config/systemd/user/<{ client.first_socket }> -a -d /run/user/1000

openclaw-clean-files:
  file.absent:
    - names:
<% for forward in client.forwards %>
      - /home/user/.config/systemd/user/sockets.target.wants/openclaw-client-<{ forward.port }>.socket
      - /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>.socket
      - /home/user/.config/systemd/user/openclaw-client-<{ forward.port }>@.service
<% endfor %>
    - require:
      - cmd: openclaw-clean-sockets

# Those that are empty now.
openclaw-clean-folders:
  cmd.run:
    - name: >-
        find /home/user -maxdepth 4 -depth -type d -empty -path '/home/user/.config/systemd*' -delete
    - onlyif: >-
        find /home/user -maxdepth 4 -type d -empty -path '/home/user/.config/systemd*' | grep -q .
    - require:
      - file: openclaw-clean-files
