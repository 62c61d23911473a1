# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw.tunnel: the tunnels from dom0's loopback ports into the qubes. In dom0.
#
# Execute: sudo qubesctl state.apply openclaw.tunnel
<% if tunnels %>

openclaw-tunnel-conf:
  file.managed:
    - name: /etc/qubes/openclaw.conf
    - source: salt://openclaw/dom0/files/etc/qubes/openclaw.conf
    - user: root
    - group: root
    - mode: '0644'

openclaw-tunnel-forward:
  file.managed:
    - name: /usr/local/bin/openclaw-tcp-forward
    - source: salt://openclaw/dom0/files/usr/local/bin/openclaw-tcp-forward
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

openclaw-tunnel-dashboard:
  file.managed:
    - name: /usr/local/bin/openclaw-dashboard
    - source: salt://openclaw/dom0/files/usr/local/bin/openclaw-dashboard
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

openclaw-tunnel-unit:
  file.managed:
    - name: /etc/systemd/system/openclaw-tunnel@.service
    - source: salt://openclaw/dom0/files/etc/systemd/system/openclaw-tunnel@.service
    - user: root
    - group: root
    - mode: '0644'
<% for tunnel in tunnels %>

# <{ tunnel.qube }>
openclaw-tunnel-<{ tunnel.port }>:
  service.running:
    - name: openclaw-tunnel@<{ tunnel.port }>
    - enable: True
    - watch:
      - file: openclaw-tunnel-conf
      - file: openclaw-tunnel-forward
      - file: openclaw-tunnel-unit
<% endfor %>
<% endif %>

# Tunnels of earlier configurations.
<% if tunnels %>
openclaw-tunnel-stale:
  cmd.run:
    - name: >-
        find /etc/systemd/system/multi-user.target.wants -name 'openclaw-tunnel@*.service'
<% for tunnel in tunnels %>
        ! -name openclaw-tunnel@<{ tunnel.port }>.service
<% endfor %>
        -printf '%f\n' | xargs systemctl disable --now
    - onlyif: >-
        find /etc/systemd/system/multi-user.target.wants -name 'openclaw-tunnel@*.service'
<% for tunnel in tunnels %>
        ! -name openclaw-tunnel@<{ tunnel.port }>.service
<% endfor %>
        | grep -q .
<% else %>
openclaw-tunnel-absent:
  file.absent:
    - names:
      - /etc/qubes/openclaw.conf
      - /usr/local/bin/openclaw-dashboard
      - /usr/local/bin/openclaw-tcp-forward
      - /etc/systemd/system/openclaw-tunnel@.service

openclaw-tunnel-not-enabled:
  file.tidied:
    - name: /etc/systemd/system/multi-user.target.wants
    - matches:
      - openclaw-tunnel@
    - onlyif: test -d /etc/systemd/system/multi-user.target.wants

openclaw-tunnel-stale:
  cmd.run:
    - name: systemctl daemon-reload && systemctl stop 'openclaw-tunnel@*'
    - onchanges:
      - file: openclaw-tunnel-absent
      - file: openclaw-tunnel-not-enabled
<% endif %>
