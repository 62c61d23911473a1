# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw.<{ part }>: <{ purpose }>
#
<% if with_dom0 %>
# Execute: sudo qubesctl --targets=<{ targets }> state.apply openclaw.<{ part }>
<% elif hosts %>
# Execute: sudo qubesctl --skip-dom0 --targets=<{ targets }> state.apply openclaw.<{ part }>
<% else %>
# There is nothing to do: the configuration names no such qube.
<% endif %>
<% for host in hosts %>

{%- <{ "if" if loop.first else "elif" }> grains['id'] == '<{ host }>' %}

include:
  - openclaw.<{ host }>.<{ part }>
<% endfor %>
<% if hosts %>

{%- else %}
<% endif %>
<% if part in ["client", "clean"] %>

include:
  - openclaw.former
<% else %>

openclaw-<{ part }>-not-for-this-qube:
  test.fail_without_changes:
    - comment: >-
        There is nothing here for this host. The hosts that there is something for:
        <{ hosts | join(", ") or "none" }>
<% endif %>
<% if hosts %>

{%- endif %}
<% endif %>
