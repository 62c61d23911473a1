# The proxy, built from its source: Go checks it against the public checksum database.
openclaw-install-cursor-proxy:
  cmd.run:
    - name: >-
        go install -trimpath <{ cursor.proxy_module }>@<{ cursor.proxy_version }>
        && rm -rf /var/cache/openclaw-go
    - env:
      - CGO_ENABLED: '0'
      - GOBIN: /usr/local/bin
      - GOCACHE: /var/cache/openclaw-go/build
      - GOPATH: /var/cache/openclaw-go
      - GOTOOLCHAIN: local
    - unless: go version -m /usr/local/bin/openclaw-cursor | grep -qF <{ cursor.proxy_version }>
    - require:
      - <{ "test: openclaw-install-template-package" if server.class == "AppVM" else "pkg: openclaw-install-packages" }>

# Cursor's own command, which the proxy calls.
openclaw-install-cursor-agent:
  archive.extracted:
    - name: /usr/local/lib/cursor-agent/<{ cursor.agent_version }>
    - source: <{ cursor.agent_url }>
    - source_hash: <{ cursor.agent_sha256 }>
    - options: --strip-components=1
    - enforce_toplevel: False
    - user: root
    - group: root
    - if_missing: /usr/local/lib/cursor-agent/<{ cursor.agent_version }>/cursor-agent

openclaw-install-cursor-agent-command:
  file.managed:
    - name: /usr/local/bin/cursor-agent
    - source: salt://openclaw/files/usr/local/bin/cursor-agent
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
