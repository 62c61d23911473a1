# SPDX-License-Identifier: MIT OR Apache-2.0
#
# OpenClaw <{ openclaw }>, Node <{ node }> and what <{ server.providers }> needs. In <{ server.name }>.
# Where one of these installations fails, nothing after it is tried.
#
# Execute: sudo qubesctl --skip-dom0 --targets=<{ server.name }> state.apply openclaw.install
<% if server.class == "AppVM" %>

openclaw-install-template-package:
  test.fail_without_changes:
    - failhard: True
    - comment: >-
        <{ server.template }> lacks a program that <{ server.name }> needs. Install the package
        <{ template_packages[server.os] }> in it, shut it down, restart <{ server.name }>, and apply again.
    - unless:
<% for program in server.programs %>
      - test -x <{ program }>
<% endfor %>
<% else %>

openclaw-install-packages:
  pkg.installed:
    - failhard: True
    - pkgs:
<% for package in server.packages %>
      - <{ package }>
<% endfor %>
<% if server.os == "debian" %>
    - install_recommends: False
<% endif %>
<% endif %>

# Since qubes-core-agent 4.2.33 Qubes ships this service itself, as a link; before, as a script.
openclaw-install-connect-tcp:
  file.managed:
    - name: <{ server.rpc_dir }>/qubes.ConnectTCP
    - source: salt://openclaw/files/etc/qubes-rpc/qubes.ConnectTCP
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
    - unless:
      - test -e /etc/qubes-rpc/qubes.ConnectTCP -o -L /etc/qubes-rpc/qubes.ConnectTCP

openclaw-install-lock:
  file.managed:
    - names:
      - /usr/local/lib/openclaw/package.json:
        - source: salt://openclaw/files/usr/local/lib/openclaw/package.json
      - /usr/local/lib/openclaw/package-lock.json:
        - source: salt://openclaw/files/usr/local/lib/openclaw/package-lock.json
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True

openclaw-install-script:
  file.managed:
    - name: /usr/local/lib/openclaw/install
    - source: salt://openclaw/files/usr/local/lib/openclaw/install
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

openclaw-install-npm:
  cmd.run:
    - failhard: True
    - name: /usr/local/lib/openclaw/install
    - cwd: /usr/local/lib/openclaw
    - unless: cmp --silent package-lock.json installed-lock.json
    - require:
<% if server.class == "AppVM" %>
      - test: openclaw-install-template-package
<% else %>
      - pkg: openclaw-install-packages
<% endif %>
      - file: openclaw-install-lock
      - file: openclaw-install-script

openclaw-install-commands:
  file.managed:
    - names:
      - /usr/local/bin/openclaw:
        - source: salt://openclaw/files/usr/local/bin/openclaw
      - /usr/local/bin/openclaw-dashboard:
        - source: salt://openclaw/<{ server.name }>/files/usr/local/bin/openclaw-dashboard
      - /usr/local/bin/openclaw-key:
        - source: salt://openclaw/files/usr/local/bin/openclaw-key
      - /usr/local/bin/openclaw-provider:
        - source: salt://openclaw/files/usr/local/bin/openclaw-provider
      - /usr/local/bin/openclaw-settings:
        - source: salt://openclaw/files/usr/local/bin/openclaw-settings
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

# What those commands share.
openclaw-install-modules:
  file.managed:
    - names:
<% for module in modules %>
      - /usr/local/lib/openclaw/<{ module }>:
        - source: salt://openclaw/files/usr/local/lib/openclaw/<{ module }>
<% endfor %>
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True

openclaw-install-examples:
  file.managed:
    - names:
<% for example in examples %>
      - /usr/local/share/openclaw/examples/<{ example }>:
        - source: salt://openclaw/files/usr/local/share/openclaw/examples/<{ example }>
<% endfor %>
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
<% for provider in server.installs %>

<% include "salt/openclaw/providers/" ~ provider %>
<% endfor %>

# What runs is still the program from before.
openclaw-install-restart:
  cmd.run:
    - name: systemctl --user --no-block try-restart 'openclaw-*.service'
    - runas: user
    - env:
      - XDG_RUNTIME_DIR: /run/user/1000
    - onlyif: test -d /run/user/1000
    - onchanges:
      - cmd: openclaw-install-npm
