# The proxy, built from its source: Go checks it against the public checksum database, which Fedora's
# Go does not ask of itself. The version is looked for in the program, where Go notes it.
openclaw-install-cursor-proxy:
  cmd.run:
    - failhard: True
    - name: >-
        go install -trimpath <{ cursor.proxy.source }>@<{ cursor.proxy.version }>
        && rm -rf /var/cache/openclaw-go
    - env:
      - CGO_ENABLED: '0'
      - GOBIN: /usr/local/bin
      - GOCACHE: /var/cache/openclaw-go/build
      - GOPATH: /var/cache/openclaw-go
      - GOPROXY: https://proxy.golang.org
      - GOSUMDB: sum.golang.org
      - GOTOOLCHAIN: local
      - XDG_CONFIG_HOME: /var/cache/openclaw-go/config
    - onchanges_in:
      - cmd: openclaw-install-restart
    - unless: grep -qsaF <{ cursor.proxy.version }> /usr/local/bin/openclaw-cursor
    - require:
      - <{ "test: openclaw-install-template-package" if server.class == "AppVM" else "pkg: openclaw-install-packages" }>

# Cursor's own command, which the proxy calls. The version is written last: without it the
# installation is not whole, and is made anew.
openclaw-install-cursor-agent:
  cmd.run:
    - failhard: True
    - name: >-
        curl --fail --silent --show-error --location --proto '=https' --retry 3
        --output cursor-agent.tar.gz <{ cursor.agent.source }>
        && echo '<{ cursor.agent.sha256 }>  cursor-agent.tar.gz' | sha256sum --check --quiet
        && rm -rf /usr/local/lib/cursor-agent
        && mkdir -p /usr/local/lib/cursor-agent/<{ cursor.agent.version }>
        && tar --extract --gzip --no-same-owner --strip-components=1
        --directory /usr/local/lib/cursor-agent/<{ cursor.agent.version }> --file cursor-agent.tar.gz
        && rm cursor-agent.tar.gz
        && echo <{ cursor.agent.version }> > /usr/local/lib/cursor-agent/VERSION
    - cwd: /var/tmp
    - unless: grep -qxF <{ cursor.agent.version }> /usr/local/lib/cursor-agent/VERSION
    - require:
      - <{ "test: openclaw-install-template-package" if server.class == "AppVM" else "pkg: openclaw-install-packages" }>

openclaw-install-cursor-agent-command:
  file.managed:
    - name: /usr/local/bin/cursor-agent
    - source: salt://openclaw/files/usr/local/bin/cursor-agent
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
