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

openclaw-clean-ports:
  cmd.run:
    - name: |
        if test -d /run/user/1000; then
            runuser -u user -- env XDG_RUNTIME_DIR=/run/user/1000 \
                systemctl --user stop 'openclaw-client-*'
        fi
        rm -f /usr/local/bin/openclaw-tcp-forward \
            /home/user/.local/share/applications/openclaw-dashboard-*.desktop \
            /home/user/.config/systemd/user/sockets.target.wants/openclaw-client-* \
            /home/user/.config/systemd/user/openclaw-client-*
        # Those that are empty now.
        find /home/user -maxdepth 4 -depth -type d -empty \
            '(' -path '/home/user/.config/systemd*' -o -path /home/user/.local/share/applications \
            -o -path /home/user/.local/share -o -path /home/user/.local ')' -delete
    - onlyif: ls /home/user/.config/systemd/user/openclaw-client-*
