# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw.network: which servers the local network reaches. In dom0.
#
# Execute: sudo qubesctl state.apply openclaw.network

include:
  - openclaw.create
<% if network %>

openclaw-network-addon:
  test.fail_without_changes:
    - comment: >-
        dom0 lacks the package qubes-core-admin-addon-network-server, which network mode needs.
        Build and install it from the repository of qubes-network-server, with the package of that
        name in the template of the netvm, and apply again.
    - unless: rpm --query --quiet qubes-core-admin-addon-network-server
<% endif %>
<% for server in servers %>
<% if server.mode == "network" %>

openclaw-network-<{ server.name }>-netvm:
  test.fail_without_changes:
    - comment: >-
        <{ server.netvm }> gets its network from another qube. Network mode needs the qube that
        holds the network device. Build the package anew with that qube as netvm, and apply again.
    - onlyif:
      - qvm-check --quiet <{ server.netvm }>
      - test -n "$(qvm-prefs <{ server.netvm }> netvm)"
      - test "$(qvm-prefs <{ server.netvm }> netvm)" != None

openclaw-network-<{ server.name }>:
  qvm.features:
    - name: '<{ server.name }>'
    - set:
      - routing-method: forward
    - require:
      - qvm: openclaw-create-<{ server.name }>
      - test: openclaw-network-addon
      - test: openclaw-network-<{ server.name }>-netvm
<% else %>

openclaw-network-<{ server.name }>-off:
  qvm.features:
    - name: '<{ server.name }>'
    - default:
      - routing-method
    - require:
      - qvm: openclaw-create-<{ server.name }>
<% endif %>
<% endfor %>
