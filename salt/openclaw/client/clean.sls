# SPDX-License-Identifier: MIT OR Apache-2.0
#
<% if client is defined %>
# What openclaw.clean does in <{ client.name }>.
<% else %>
# What is done on a host that the configuration does not name: if it was a client once, the ports
# that it had are taken away. There is nothing else for such a host.

openclaw-clean-not-for-this-qube:
  test.fail_without_changes:
    - comment: >-
        There is nothing here for this host. The hosts that there is something for:
        dom0, <{ targets | replace(",", ", ") }>
    - unless: ls /home/user/.config/systemd/user/openclaw-client-*
<% endif %>

openclaw-clean-sockets:
  cmd.run:
    - name: >-
        cd /home/user/.config/systemd/user && systemctl --user disable --now openclaw-client-*
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - onlyif:
      - test -d /run/user/1000
      - ls /home/user/.config/systemd/user/openclaw-client-*

openclaw-clean-files:
  cmd.run:
    - name: >-
        rm -f /usr/local/bin/openclaw-tcp-forward
        /home/user/.local/share/applications/openclaw-dashboard-*.desktop
        /home/user/.config/systemd/user/sockets.target.wants/openclaw-client-*
        /home/user/.config/systemd/user/openclaw-client-*
    - onlyif: ls /home/user/.config/systemd/user/openclaw-client-*
    - require:
      - cmd: openclaw-clean-sockets

# Those that are empty now.
openclaw-clean-folders:
  cmd.run:
    - name: >-
        find /home/user -maxdepth 4 -depth -type d -empty \( -path '/home/user/.config/systemd*'
        -o -path /home/user/.local/share/applications -o -path /home/user/.local/share
        -o -path /home/user/.local \) -delete
    - onlyif: >-
        find /home/user -maxdepth 4 -type d -empty \( -path '/home/user/.config/systemd*'
        -o -path /home/user/.local/share/applications \) | grep -q .
    - require:
      - cmd: openclaw-clean-files
