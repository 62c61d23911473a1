# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw.policy: which qubes may use OpenClaw, and the tag that says so. In dom0.
#
# A malformed file would have Qubes deny every call on the machine. So each is checked first, by
# Qubes' own tool, and then put in place by renaming it.
#
# Execute: sudo qubesctl state.apply openclaw.policy

openclaw-policy:
  file.managed:
    - name: /etc/qubes/policy.d/50-openclaw.policy
    - source: salt://openclaw/dom0/files/etc/qubes/policy.d/50-openclaw.policy
    - user: root
    - group: qubes
    - mode: '0664'
    - check_cmd: qubes-policy-lint

openclaw-policy-inter-vm:
<% if inter_qube %>
  file.managed:
    - name: /etc/qubes/policy.d/30-openclaw-inter-vm.policy
    - source: salt://openclaw/dom0/files/etc/qubes/policy.d/30-openclaw-inter-vm.policy
    - user: root
    - group: qubes
    - mode: '0664'
    - check_cmd: qubes-policy-lint
    - require:
      - file: openclaw-policy
<% else %>
  file.absent:
    - name: /etc/qubes/policy.d/30-openclaw-inter-vm.policy
<% endif %>
<% for client in clients %>

openclaw-policy-<{ client.name }>-exists:
  test.fail_without_changes:
    - comment: >-
        There is no qube <{ client.name }>, which is to be a client. Make it, or build the package
        anew without it, and apply again.
    - unless: qvm-check --quiet <{ client.name }>

openclaw-policy-<{ client.name }>-tags:
  qvm.tags:
    - name: '<{ client.name }>'
    - add:
<% for tag in client.tags %>
      - '<{ tag }>'
<% endfor %>
    - require:
      - test: openclaw-policy-<{ client.name }>-exists
<% endfor %>
