# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw.<{ part }>: <{ purpose }>
#
# Execute: sudo qubesctl --skip-dom0 --targets=<{ targets }> state.apply openclaw.<{ part }>
<% for host in hosts %>

{%- <{ "if" if loop.first else "elif" }> grains['id'] == '<{ host }>' %}

include:
  - openclaw.<{ host }>.<{ part }>
<% endfor %>

{%- else %}

openclaw-<{ part }>-not-for-this-qube:
  test.fail_without_changes:
    - comment: >-
        There is nothing here for this host. The hosts that there is something for:
        <{ targets or "none" }>

{%- endif %}
