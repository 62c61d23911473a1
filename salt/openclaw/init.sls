# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw: everything, each host's own part of it. What runs where is chosen here by the name of
# the host, once, and nowhere else: the states below have no Jinja.
#
# Execute, dom0 first and then the qubes: sudo qubesctl --targets=<{ targets }> state.apply openclaw
# Execute, dom0 alone: sudo qubesctl state.apply openclaw

{%- if grains['id'] == 'dom0' %}

include:
  - openclaw.create
  - openclaw.policy
  - openclaw.tunnel
  - openclaw.network
<% for server in servers %>

{%- elif grains['id'] == '<{ server.name }>' %}

include:
  - openclaw.<{ server.name }>.install
  - openclaw.<{ server.name }>.configure
<% endfor %>
<% for client in clients %>

{%- elif grains['id'] == '<{ client.name }>' %}

include:
  - openclaw.<{ client.name }>.client
<% endfor %>

{%- else %}

include:
  - openclaw.former

{%- endif %}
