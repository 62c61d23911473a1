// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The files of variables that OpenClaw reads by itself when it starts, the first one first.

'use strict';
const { isDeepStrictEqual } = require('node:util');
const { HOME, path, read, write } = require('./files.cjs');
// The parser of the OpenClaw that is installed here.
const dotenv = require('dotenv');

const FILES = ['.openclaw/.env', '.config/openclaw/gateway.env'].map((name) => path.join(HOME, name));
const LIMIT = 1024 * 1024;

/** The variables of a file; none if it is not there. */
function parse(file) {
    const text = read(file, LIMIT);
    return { text, values: text === null ? {} : dotenv.parse(text) };
}

/** What `${NAME}` stands for in settings, whose own part `env` comes last. */
function variables(settings) {
    const files = FILES.map((file) => parse(file).values);
    return { ...settings.env, ...settings.env?.vars, ...files[1], ...files[0] };
}

/** Takes variables out of a file, and nothing else. False if that cannot be done line by line. */
function take(file, names) {
    const { text, values } = parse(file);
    const lines = text.split('\n');
    const kept = lines.filter((line) => !names.some((name) => Object.hasOwn(dotenv.parse(line), name)));
    const expected = Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
    const made = kept.join('\n');
    if (!isDeepStrictEqual({ ...dotenv.parse(made) }, expected)) {
        return false;
    }
    write(file, made);
    return true;
}

module.exports = { FILES, parse, take, variables };
