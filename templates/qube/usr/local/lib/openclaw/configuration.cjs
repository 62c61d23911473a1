// SPDX-License-Identifier: MIT OR Apache-2.0
//
// ~/.openclaw/openclaw.json, as OpenClaw reads it.

'use strict';
const { isDeepStrictEqual } = require('node:util');
const { HOME, Refusal, path, read, shown, write } = require('./files.cjs');
// The parser of the OpenClaw that is installed here.
const JSON5 = require('json5');

const FILE = path.join(HOME, '.openclaw/openclaw.json');
const SHARE = path.join(__dirname, '../../share/openclaw');
// As much as OpenClaw itself takes of an included file.
const LIMIT = 2 * 1024 * 1024;
// Deeper than any of OpenClaw's settings.
const DEEPEST = 100;

const isTable = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** The user's configuration and its text; null if there is none. */
function user() {
    const text = read(FILE, LIMIT);
    return text === null ? null : { text, settings: parse(FILE, text) };
}

/** Parses what a person may have written: JSON, or JSON5, which has comments. */
function parse(file, text) {
    let settings;
    try {
        settings = parseEither(text);
    } catch (error) {
        const at = error.lineNumber ? `:${error.lineNumber}:${error.columnNumber}` : '';
        const why = error.message.replace(/^JSON5: /, '').replace(/ at \d+:\d+$/, '');
        throw new Refusal(`${shown(file)}${at}: not JSON5: ${why}. It stays as it is: mend it there, or move it away and apply again`);
    }
    if (!isTable(settings)) {
        throw new Refusal(`${shown(file)}:1:1: not a table of settings. It stays as it is: move it away and apply again`);
    }
    if (depth(settings) > DEEPEST) {
        throw new Refusal(`${shown(file)}: tables are nested more than ${DEEPEST} deep. It stays as it is: move it away and apply again`);
    }
    return settings;
}

/** How deeply tables and lists are nested, without calls that are nested as deeply. */
function depth(settings) {
    let level = [settings];
    let count = 0;
    while (level.length > 0) {
        count += 1;
        level = level.flatMap((value) => Object.values(value))
            .filter((value) => value !== null && typeof value === 'object');
    }
    return count;
}

function parseEither(text) {
    return isJson(text) ? JSON.parse(text) : JSON5.parse(text);
}

/** What the formula configured, or an example; null if it is not installed. */
function installed(name) {
    const file = path.join(SHARE, name);
    const text = read(file, LIMIT);
    return text === null ? null : parse(file, text);
}

/** Settings as they are written. JSON has no infinite numbers, and would make them null. */
function written(settings) {
    const finite = (key, value) => {
        if (typeof value === 'number' && !Number.isFinite(value)) {
            throw new Refusal(`${shown(FILE)}: "${key}" is ${value}, which JSON does not have. It stays as it is: write a number`);
        }
        return value;
    };
    return `${JSON.stringify(settings, finite, 2)}\n`;
}

/**
 * Replaces the user's configuration, unless somebody else did meanwhile. The old text is kept beside
 * it where it would be lost: always, or where it has comments. Returns where that is, or null.
 */
function replace(before, settings, always = false) {
    const made = written(settings);
    if (read(FILE, LIMIT) !== before) {
        throw new Refusal(`${shown(FILE)} was changed meanwhile: try again`);
    }
    const kept = always || !isJson(before) ? keep(before) : null;
    write(FILE, made);
    return kept;
}

function isJson(text) {
    try {
        JSON.parse(text);
        return true;
    } catch {
        return false;
    }
}

/** Keeps the text of the configuration beside it, and says where. No older one is lost. */
function keep(before) {
    for (let number = 1; ; number += 1) {
        const file = `${FILE}.before-apply${number === 1 ? '' : `.${number}`}`;
        const there = read(file, LIMIT);
        if (there === null) {
            write(file, before);
        }
        if (there === null || there === before) {
            return shown(file);
        }
    }
}

/** Puts settings into others, table by table. A reference to a secret is one value. */
function merge(into, from) {
    for (const [key, value] of Object.entries(from)) {
        if (isTable(value) && isTable(into[key]) && !isReference(value)) {
            merge(into[key], value);
        } else {
            into[key] = structuredClone(value);
        }
    }
}

const isReference = (value) => typeof value.source === 'string' && typeof value.id === 'string';

/** The paths of `wanted` at which `found` has something else. */
function differing(wanted, found, at = '') {
    if (isTable(wanted) && isTable(found) && !isReference(wanted)) {
        return Object.entries(wanted).flatMap(([key, value]) =>
            differing(value, found[key], at ? `${at}.${key}` : key));
    }
    return isDeepStrictEqual(wanted, found) ? [] : [at];
}

/** The agents that have settings of their own, by id, in the newer form and the older one. */
function agents(settings) {
    const { entries, list } = settings.agents ?? {};
    return isTable(entries) ? Object.entries(entries).filter(([, agent]) => isTable(agent))
        : (Array.isArray(list) ? list : []).filter(isTable).map((agent) => [agent.id, agent]);
}

const trimmed = (value) => (typeof value === 'string' ? value.trim() : '');
const primary = (model) => trimmed(isTable(model) ? model.primary : model);

/** The model that the agent uses, as it is written; '' if none is. */
function model(settings) {
    const known = agents(settings);
    const marked = known.filter(([, agent]) => agent.default === true);
    const [own] = marked.length === 1 ? marked : known.length === 1 ? known : [];
    return (own && primary(own[1].model)) || primary(settings.agents?.defaults?.model);
}

/** The provider of the agent's model, as OpenClaw finds it; '' if there is no model. */
function provider(settings) {
    const chosen = model(settings);
    return chosen && full(settings, chosen).split('/')[0];
}

/** A model with its provider, as OpenClaw completes what somebody wrote. */
function full(settings, chosen) {
    // What follows an @ after the name chooses one of several logins.
    const at = chosen.indexOf('@', chosen.lastIndexOf('/') + 1);
    const bare = at > 0 ? chosen.slice(0, at).trim() : chosen;
    const name = alias(settings, chosen) ?? alias(settings, bare) ?? bare;
    const slash = name.indexOf('/');
    if (name.toLowerCase() === 'openrouter:auto') {
        return 'openrouter/auto';
    }
    return slash > 0
        ? `${name.slice(0, slash).trim().toLowerCase()}/${name.slice(slash + 1).trim()}`
        : `${offering(settings, name) ?? 'openai'}/${name}`;
}

/** The model that has this alias. */
function alias(settings, name) {
    const tables = [...agents(settings).map(([, agent]) => agent.models), settings.agents?.defaults?.models];
    for (const [known, entry] of tables.filter(isTable).flatMap(Object.entries)) {
        if (isTable(entry) && trimmed(entry.alias) && trimmed(entry.alias).toLowerCase() === name.toLowerCase()) {
            return known.trim();
        }
    }
    return null;
}

/** The one provider that is configured with a model of this name; null if none is, or several. */
function offering(settings, name) {
    const listed = Object.keys(settings.agents?.defaults?.models ?? {})
        .filter((known) => known.includes('/'))
        .map((known) => [known.slice(0, known.indexOf('/')), known.slice(known.indexOf('/') + 1)]);
    const offered = Object.entries(settings.models?.providers ?? {}).flatMap(([id, entry]) =>
        (Array.isArray(entry?.models) ? entry.models : []).map((offer) => [id, trimmed(offer?.id)]));
    const found = new Set([...listed, ...offered]
        .filter(([, id]) => id.trim().toLowerCase() === name.toLowerCase())
        .map(([id]) => id.trim().toLowerCase()));
    return found.size === 1 ? [...found][0] : null;
}

module.exports = { FILE, differing, full, installed, isTable, merge, model, parse, provider, replace, user, written };
