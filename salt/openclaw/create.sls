# SPDX-License-Identifier: MIT OR Apache-2.0
#
# openclaw.create: the qubes that run OpenClaw. In dom0.
#
# Qubes' own modules report a failed creation as a success, and pass over a qube that exists with
# another class or template: the states around each creation turn both into failures. They also
# set preferences under test=True.
#
# Execute: sudo qubesctl state.apply openclaw.create
<% for server in servers %>

# <{ server.name }>: <{ server.class }> from <{ server.template }>, <{ server.mode }> mode, <{ server.providers }>

openclaw-create-<{ server.name }>-template:
  test.fail_without_changes:
    - comment: >-
        There is no qube <{ server.template }>, the template of <{ server.name }>. Install it in
        dom0 with qvm-template install <{ server.template }>, or build the package anew with
        another template, and apply again.
    - unless: qvm-check --quiet <{ server.template }>
<% if server.netvm %>

openclaw-create-<{ server.name }>-netvm:
  test.fail_without_changes:
    - comment: >-
        There is no qube <{ server.netvm }>, the netvm of <{ server.name }>. Build the package anew
        with another netvm, and apply again.
    - unless: qvm-check --quiet <{ server.netvm }>
<% endif %>

openclaw-create-<{ server.name }>-other-class:
  test.fail_without_changes:
    - comment: >-
        <{ server.name }> exists, and is not of the class <{ server.class }>. Rename or remove that
        qube, or build the package anew with another name or class, and apply again.
    - onlyif:
      - qvm-check --quiet <{ server.name }>
      - test "$(qvm-prefs <{ server.name }> klass)" != <{ server.class }>

openclaw-create-<{ server.name }>-other-template:
  test.fail_without_changes:
    - comment: >-
        <{ server.name }> exists, and was not made from <{ server.template }>. Rename or remove that
        qube, or build the package anew with another name or template, and apply again.
    - onlyif:
      - qvm-check --quiet <{ server.name }>
<% if server.class == "AppVM" %>
      - test "$(qvm-prefs <{ server.name }> template)" != <{ server.template }>
<% else %>
      # A StandaloneVM has this feature from the template that it was made from.
      - test "$(qvm-features <{ server.name }> template-name)" != "$(qvm-features <{ server.template }> template-name)"
<% endif %>

openclaw-create-<{ server.name }>:
  qvm.vm:
    - name: '<{ server.name }>'
    - require:
      - test: openclaw-create-<{ server.name }>-template
<% if server.netvm %>
      - test: openclaw-create-<{ server.name }>-netvm
<% endif %>
      - test: openclaw-create-<{ server.name }>-other-class
      - test: openclaw-create-<{ server.name }>-other-template
    - present:
      - class: <{ server.class }>
      - template: '<{ server.template }>'
      - label: <{ server.label }>
    - prefs:
      - label: <{ server.label }>
      - netvm: '<{ server.netvm or "none" }>'
      # It can ask for no disposable, which would have a network and no limit of its own.
      - default_dispvm: none
<% if server.ip %>
      - ip: <{ server.ip }>
<% endif %>
      # It needs no sound.
      - audiovm: none
      - memory: <{ server.memory }>
      - maxmem: <{ server.max_memory }>
      - autostart: <{ "True" if server.autostart else "False" }>
    - features:
      - enable:
        - servicevm
      # It prints nothing, and looks for no printers.
      - disable:
        - service.cups
        - service.cups-browsed
    - tags:
      - add:
<% for tag in server.tags %>
        - '<{ tag }>'
<% endfor %>
<% if server.netvm %>
      - del:
        - openclaw-no-network
<% endif %>

# No device can be attached to it by hand. The module above knows this preference since release
# 4.3.6 only, and earlier ones pass over it in silence; Qubes R4.2 has no such preference.
openclaw-create-<{ server.name }>-devices:
  cmd.run:
    - name: qvm-prefs <{ server.name }> devices_denied '*******'
    - onlyif: qvm-prefs <{ server.name }> devices_denied
    - unless: test "$(qvm-prefs <{ server.name }> devices_denied)" = '*******'
    - require:
      - qvm: openclaw-create-<{ server.name }>

openclaw-create-<{ server.name }>-failed:
  test.fail_without_changes:
    - comment: >-
        Qubes did not make <{ server.name }>: the comment of the state
        openclaw-create-<{ server.name }> says what it refused, such as the label <{ server.label }>.
        Mend that, or build the package anew with another setting, and apply again.
    - onfail:
      - qvm: openclaw-create-<{ server.name }>
    - unless: qvm-check --quiet <{ server.name }>
<% if server.autostart %>

openclaw-create-<{ server.name }>-start:
  qvm.start:
    - name: '<{ server.name }>'
    - require:
      - qvm: openclaw-create-<{ server.name }>
<% endif %>
<% endfor %>
