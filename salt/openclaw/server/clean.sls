# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What openclaw.clean does in <{ server.name }>. What is in /home/user/.openclaw stays: it is the
# user's. So do the packages of the distribution.

openclaw-clean-services:
  cmd.run:
    - name: systemctl --user disable --now <{ server.units | join(" ") }>
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - onlyif: test -e /home/user/.config/systemd/user/openclaw-gateway.service -a -d /run/user/1000

openclaw-clean-files:
  file.absent:
    - names:
<% for unit in server.all_units %>
      - /home/user/.config/systemd/user/default.target.wants/<{ unit }>
      - /home/user/.config/systemd/user/<{ unit }>
<% endfor %>
<% for path in removed %>
      - <{ path }>
<% endfor %>
    - require:
      - cmd: openclaw-clean-services

openclaw-clean-connect-tcp:
  file.absent:
    - name: <{ server.rpc_dir }>/qubes.ConnectTCP
    - onlyif: grep -qs openclaw-formula <{ server.rpc_dir }>/qubes.ConnectTCP

# Unless it is the user's own.
openclaw-clean-linger:
  file.absent:
    - name: /var/lib/systemd/linger/user
    - onlyif: grep -qs openclaw-formula /var/lib/systemd/linger/user
    - require:
      - cmd: openclaw-clean-services

# What no file holds: folders that are empty now, and rules. The empty chain is gone when the qube
# restarts.
openclaw-clean-rest:
  cmd.run:
    - name: |
        find /home/user /rw/config -maxdepth 4 -depth -type d -empty \
            '(' -path '/home/user/.config/systemd*' -o -path /rw/config/rc.local.d ')' -delete
        if nft list table inet openclaw; then nft delete table inet openclaw; fi >/dev/null 2>&1
        if nft list chain ip qubes openclaw-input; then
            nft flush chain ip qubes openclaw-input
        fi >/dev/null 2>&1
    - onlyif: >-
        find /home/user /rw/config -maxdepth 4 -type d -empty
        '(' -path '/home/user/.config/systemd*' -o -path /rw/config/rc.local.d ')' | grep -q .
        || nft list table inet openclaw
        || nft list chain ip qubes openclaw-input | grep -q accept
    - require:
      - file: openclaw-clean-files
