# Ollama without its libraries for graphics cards, which a qube does not have. The version is
# written last: without it the installation is not whole, and is made anew.
openclaw-install-ollama:
  cmd.run:
    - failhard: True
    - name: >-
        curl --fail --silent --show-error --location --proto '=https' --retry 3
        --output ollama.tar.zst <{ ollama.program.source }>
        && echo '<{ ollama.program.sha256 }>  ollama.tar.zst' | sha256sum --check --quiet
        && rm -rf /usr/local/lib/ollama
        && mkdir -p /usr/local/lib/ollama
        && tar --extract --zstd --no-same-owner --directory /usr/local/lib/ollama
        --exclude 'lib/ollama/cuda*' --exclude 'lib/ollama/vulkan*' --file ollama.tar.zst
        && rm ollama.tar.zst
        && echo <{ ollama.program.version }> > /usr/local/lib/ollama/VERSION
    - cwd: /var/tmp
    - onchanges_in:
      - cmd: openclaw-install-restart
    - unless: grep -qxF <{ ollama.program.version }> /usr/local/lib/ollama/VERSION
    - require:
      - <{ "test: openclaw-install-template-package" if server.class == "AppVM" else "pkg: openclaw-install-packages" }>

openclaw-install-ollama-command:
  file.managed:
    - name: /usr/local/bin/ollama
    - source: salt://openclaw/files/usr/local/bin/ollama
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True

openclaw-install-model-command:
  file.managed:
    - name: /usr/local/bin/openclaw-model
    - source: salt://openclaw/files/usr/local/bin/openclaw-model
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
