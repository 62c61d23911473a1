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
        Build it from https://github.com/Rudd-O/qubes-network-server, install it in dom0, and the
        package qubes-network-server from there in the template of the netvm, and apply again.
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

openclaw-network-<{ server.name }>-routing:
  test.fail_without_changes:
    - comment: >-
        <{ server.netvm }> does not run qubes-routing-manager, which network mode needs. Build the
        package qubes-network-server from https://github.com/Rudd-O/qubes-network-server, install it
        in the template of <{ server.netvm }>, a Fedora one, shut the template down, restart
        <{ server.netvm }>, and apply again.
    - onlyif: qvm-check --quiet <{ server.netvm }>
    - unless: >-
        qvm-run --quiet --no-gui <{ server.netvm }>
        'systemctl --quiet is-active qubes-routing-manager.service'

openclaw-network-<{ server.name }>:
  qvm.features:
    - name: '<{ server.name }>'
    - set:
      - routing-method: forward
    - require:
      - qvm: openclaw-create-<{ server.name }>
      - test: openclaw-network-addon
      - test: openclaw-network-<{ server.name }>-netvm
      - test: openclaw-network-<{ server.name }>-routing
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
