// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reading and replacing the small files of the qube's user. Only ever run as that user: these files
// are in folders where the user, and so the agent, may put a link or a pipe in place of a file.

'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** What is said to the user instead of a stack of calls. */
class Refusal extends Error {}

const HOME = process.env.HOME || os.homedir();

/** A path as people write it. */
const shown = (file) => (file.startsWith(`${HOME}/`) ? `~${file.slice(HOME.length)}` : file);

/** The text of a file; null if there is none. */
function read(file, limit) {
    let handle;
    try {
        // Without O_NONBLOCK, opening a pipe waits until somebody writes into it.
        handle = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch (error) {
        if (error.code === 'ENOENT') {
            return null;
        }
        const remedy = error.code === 'EACCES' ? `: sudo chown user: ${shown(file)}` : '';
        throw new Refusal(`${shown(file)} cannot be read: ${error.message}${remedy}`);
    }
    try {
        const found = fs.fstatSync(handle);
        if (!found.isFile()) {
            throw new Refusal(`${shown(file)} is not a file: move it away`);
        }
        if (found.size > limit) {
            throw new Refusal(`${shown(file)} has ${found.size} bytes, and may have ${limit}`);
        }
        // Strict, and with the mark that some editors put first: nothing that is read is lost.
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fs.readFileSync(handle));
    } catch (error) {
        throw error instanceof Refusal ? error
            : new Refusal(`${shown(file)} cannot be read: ${error.message}`);
    } finally {
        fs.closeSync(handle);
    }
}

/** Where a file is, behind links; where it would be, if it is not there. */
function place(file) {
    try {
        return fs.realpathSync(file);
    } catch (error) {
        if (error.code === 'ENOENT' && !isLink(file)) {
            return file;
        }
        throw new Refusal(`${shown(file)} is a link that leads nowhere: ${error.message}: remove it`);
    }
}

function isLink(file) {
    return fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/** Puts a file in place that only its user may read. The old one stays until the new one is whole. */
function write(file, text) {
    const at = place(file);
    const made = `${at}.${process.pid}.new`;
    try {
        fs.writeFileSync(made, text, { mode: 0o600, flag: 'wx', flush: true });
        fs.renameSync(made, at);
    } catch (error) {
        // What another process made is not this one's to remove.
        if (error.code !== 'EEXIST') {
            fs.rmSync(made, { force: true });
        }
        throw new Refusal(`${shown(file)} stays as it is: ${error.message}`);
    }
}

/**
 * Runs a tool: what it refuses is one line on standard error, and its status. Who asks for the usage
 * gets it whatever else is wrong.
 */
function main(name, usage, run) {
    const given = process.argv.slice(2);
    if (given.includes('--help') || given.includes('-h') || given.join(' ') === 'help') {
        process.stdout.write(usage);
        return;
    }
    Promise.resolve().then(() => {
        if (process.getuid() === 0) {
            throw new Refusal('run it as the user of the qube, not as root');
        }
        return run(given);
    }).catch((error) => {
        process.stderr.write(`${name}: ${error instanceof Refusal ? error.message : `a fault of this program: ${error.stack}`}\n`);
        process.exitCode = error.status ?? 1;
    });
}

/** A refusal of how a tool was called. */
function misuse(message, usage) {
    const error = new Refusal(`${message}\n${usage.trimEnd()}`);
    error.status = 64;
    return error;
}

module.exports = { HOME, Refusal, main, misuse, path, place, read, shown, write };
