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
    - name: /etc/qubes/policy.d/32-openclaw.policy
    - source: salt://openclaw/dom0/files/etc/qubes/policy.d/32-openclaw.policy
    - user: root
    - group: qubes
    - mode: '0664'
    - check_cmd: qubes-policy-lint

# In earlier releases this file had what 32-openclaw.policy has now, so it is replaced only when that
# one is in place.
openclaw-policy-dom0:
  file.managed:
    - name: /etc/qubes/policy.d/50-openclaw.policy
    - source: salt://openclaw/dom0/files/etc/qubes/policy.d/50-openclaw.policy
    - user: root
    - group: qubes
    - mode: '0664'
    - check_cmd: qubes-policy-lint
    - require:
      - file: openclaw-policy

openclaw-policy-inter-vm:
<% if inter_qube %>
  file.managed:
    - name: /etc/qubes/policy.d/31-openclaw-inter-vm.policy
    - source: salt://openclaw/dom0/files/etc/qubes/policy.d/31-openclaw-inter-vm.policy
    - user: root
    - group: qubes
    - mode: '0664'
    - check_cmd: qubes-policy-lint
    - require:
      - file: openclaw-policy
<% else %>
  file.absent:
    - name: /etc/qubes/policy.d/31-openclaw-inter-vm.policy
<% endif %>

# The name of that file in earlier releases. It came before your own rules in 30-user.policy.
openclaw-policy-inter-vm-before:
  file.absent:
    - name: /etc/qubes/policy.d/30-openclaw-inter-vm.policy
    - require:
      - file: openclaw-policy

# Clients of earlier configurations lose the tags that they had from there. A tag that a person set
# on another qube stays.
openclaw-policy-former-clients:
  cmd.run:
    - name: >-
        grep -v '^#' /var/lib/openclaw-formula/clients
<% if clients %>
        | grep -vxF
<% for client in clients %>
<% for tag in client.tags %>
        -e '<{ client.name }> <{ tag }>'
<% endfor %>
<% endfor %>
<% endif %>
        | while read -r qube tag; do
        if qvm-check --quiet "$qube"; then qvm-tags "$qube" del "$tag" || exit; fi;
        echo "$qube has not the tag $tag any more.
        To take its ports away: qubesctl --skip-dom0 --targets=$qube state.apply openclaw.clean"; done
    - onlyif: >-
        grep -v '^#' /var/lib/openclaw-formula/clients
<% if clients %>
        | grep -vxF
<% for client in clients %>
<% for tag in client.tags %>
        -e '<{ client.name }> <{ tag }>'
<% endfor %>
<% endfor %>
<% endif %>
        | grep -q .

openclaw-policy-clients:
<% if clients %>
  file.managed:
    - name: /var/lib/openclaw-formula/clients
    - source: salt://openclaw/dom0/files/var/lib/openclaw-formula/clients
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
<% else %>
  file.absent:
    - name: /var/lib/openclaw-formula
<% endif %>
    - require:
      - cmd: openclaw-policy-former-clients
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
