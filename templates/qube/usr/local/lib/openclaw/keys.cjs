// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The providers' keys, each in a file of its own, ~/.openclaw/keys/PROVIDER. OpenClaw looks through
// its whole environment for keys, and uses what it finds: so it gets those of its providers only.

'use strict';
const fs = require('node:fs');
const { HOME, Refusal, path, read, shown, write } = require('./files.cjs');
const configuration = require('./configuration.cjs');
const environment = require('./environment.cjs');

const words = (text) => text.split(' ').filter(Boolean);

const FOLDER = path.join(HOME, '.openclaw/keys');

/** The providers that have a key: the variable in which OpenClaw takes it, what keys begin with. */
const KEYS = [
<% for key in keys %>
    { provider: '<{ key.provider }>', title: '<{ key.title }>', variable: '<{ key.variable }>', prefixes: words('<{ key.prefixes | join(" ") }>') },
<% endfor %>
];
/** Keys of others, so that they are not taken for one of these. */
const OTHERS = [
<% for other in other_keys %>
    { title: '<{ other.title }>', prefixes: words('<{ other.prefixes | join(" ") }>') },
<% endfor %>
];

const fileOf = (key) => path.join(FOLDER, key.provider);

/** Whether a text can be a variable's value in systemd's files and in a shell, in single quotes. */
const isPlain = (value) => /^[!-&(-~]{1,4000}$/.test(value);

/** The key that is stored; null if there is none. */
function stored(key) {
    const value = read(fileOf(key), 4096)?.trim();
    if (!value) {
        return null;
    }
    if (!isPlain(value)) {
        throw new Refusal(`${shown(fileOf(key))} holds no key: openclaw-key set ${key.provider}`);
    }
    return value;
}

function store(key, value) {
    fs.mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    fs.chmodSync(FOLDER, 0o700);
    write(fileOf(key), `${value}\n`);
}

function remove(key) {
    fs.rmSync(fileOf(key));
}

/**
 * Moves the keys that stand where OpenClaw reads all variables, each to its own file. That is where
 * its documentation has a user write them, and where earlier versions of this formula kept them.
 * What was written there last is the newer one. Returns what was moved, and what could not be.
 */
function adopt() {
    const moves = { moved: [], left: [] };
    for (const file of [...environment.FILES].reverse()) {
        const { values } = environment.parse(file);
        const found = KEYS.filter((key) => values[key.variable]);
        const moved = found.filter((key) => isPlain(values[key.variable]));
        moved.forEach((key) => store(key, values[key.variable]));
        const taken = moved.length > 0 && environment.take(file, moved.map((key) => key.variable));
        for (const key of found) {
            if (taken && moved.includes(key)) {
                moves.moved.push(`${key.variable} is moved from ${shown(file)} to ${shown(fileOf(key))}`);
            } else {
                moves.left.push(`${key.variable} is left in ${shown(file)}, where OpenClaw has it whoever its provider is: remove it there, and use openclaw-key set ${key.provider}`);
            }
        }
    }
    return moves;
}

/** Those of the configured providers, and of the one whose model the agent uses. */
function inUse(chosen) {
    const configured = configuration.installed('settings.json')?.models?.providers ?? {};
    return KEYS.filter((key) => Object.hasOwn(configured, key.provider) || key.provider === chosen);
}

/** The provider whose model the agent uses; '' if that has no key here. */
function chosenProvider() {
    const user = configuration.user();
    return user ? configuration.provider(user.settings) : '';
}

/** Refuses what is no key of this provider, without showing it. */
function check(key, value) {
    if (value === '') {
        throw new Refusal('no key was given; nothing was stored');
    }
    if (!/^[\w.-]+$/.test(value)) {
        throw new Refusal('a key has only letters, digits, -, _ and .; this has another character; nothing was stored');
    }
    // Some begin as another provider's do, and go on: the longest beginning tells whose it is.
    const [owner] = [...KEYS, ...OTHERS]
        .flatMap((known) => known.prefixes.map((prefix) => ({ known, prefix })))
        .filter(({ prefix }) => value.startsWith(prefix))
        .sort((one, other) => other.prefix.length - one.prefix.length);
    if (owner && owner.known !== key) {
        throw new Refusal(`this is a key of ${owner.known.title}, which begins with ${owner.prefix}; nothing was stored`);
    }
    if (!owner && key.prefixes.length > 0) {
        throw new Refusal(`a key of ${key.provider} begins with ${key.prefixes.join(' or ')}; nothing was stored`);
    }
    if (value.length < 20 || value.length > 400) {
        throw new Refusal(`a key has 20 to 400 characters, this has ${value.length}; nothing was stored`);
    }
}

module.exports = { FOLDER, KEYS, adopt, check, chosenProvider, inUse, remove, store, stored };
