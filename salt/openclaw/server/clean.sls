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

# Those that are empty now.
openclaw-clean-folders:
  cmd.run:
    - name: >-
        find /home/user /rw/config -maxdepth 4 -depth -type d -empty
        '(' -path '/home/user/.config/systemd*' -o -path /rw/config/rc.local.d ')' -delete
    - onlyif: >-
        find /home/user /rw/config -maxdepth 4 -type d -empty
        '(' -path '/home/user/.config/systemd*' -o -path /rw/config/rc.local.d ')'
        | grep -q .
    - require:
      - file: openclaw-clean-files

openclaw-clean-connect-tcp:
  file.absent:
    - name: <{ server.rpc_dir }>/qubes.ConnectTCP
    - onlyif: grep -qs openclaw-formula <{ server.rpc_dir }>/qubes.ConnectTCP

openclaw-clean-linger:
  cmd.run:
    - name: loginctl disable-linger user
    - onlyif: test -e /var/lib/systemd/linger/user
    - require:
      - cmd: openclaw-clean-services

openclaw-clean-fence:
  cmd.run:
    - name: nft delete table inet openclaw
    - onlyif: nft list table inet openclaw

# The empty chain is gone when the qube restarts.
openclaw-clean-ports:
  cmd.run:
    - name: nft flush chain ip qubes openclaw-input
    - onlyif: nft list chain ip qubes openclaw-input | grep -q accept
