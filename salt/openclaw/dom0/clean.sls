# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What openclaw.clean does in dom0. The qubes stay: only a person removes a qube.

openclaw-clean-files:
  file.absent:
    - names:
      - /etc/qubes/openclaw.conf
      # The first name is that of earlier releases.
      - /etc/qubes/policy.d/30-openclaw-inter-vm.policy
      - /etc/qubes/policy.d/31-openclaw-inter-vm.policy
      - /etc/qubes/policy.d/50-openclaw.policy
      - /etc/qubes/policy.d/32-openclaw.policy
      - /etc/systemd/system/openclaw-tunnel@.service
      - /usr/local/bin/openclaw-dashboard
      - /usr/local/bin/openclaw-tcp-forward
      - /var/lib/openclaw-formula

openclaw-clean-enabled:
  file.tidied:
    - name: /etc/systemd/system/multi-user.target.wants
    - matches:
      - openclaw-tunnel@
    - onlyif: test -d /etc/systemd/system/multi-user.target.wants

openclaw-clean-tunnels:
  cmd.run:
    - name: systemctl daemon-reload && systemctl stop 'openclaw-tunnel@*'
    - onchanges:
      - file: openclaw-clean-files
      - file: openclaw-clean-enabled
<% for server in servers %>

openclaw-clean-<{ server.name }>-features:
  qvm.features:
    - name: '<{ server.name }>'
    - default:
      - routing-method
    - onlyif: qvm-check --quiet <{ server.name }>

openclaw-clean-<{ server.name }>-tags:
  qvm.tags:
    - name: '<{ server.name }>'
    - del:
<% for tag in server.tags %>
      - '<{ tag }>'
<% endfor %>
<% if server.netvm %>
      - openclaw-no-network
<% endif %>
    - onlyif: qvm-check --quiet <{ server.name }>
<% endfor %>
<% for client in clients %>

openclaw-clean-<{ client.name }>-tags:
  qvm.tags:
    - name: '<{ client.name }>'
    - del:
<% for tag in client.tags %>
      - '<{ tag }>'
<% endfor %>
    - onlyif: qvm-check --quiet <{ client.name }>
<% endfor %>
