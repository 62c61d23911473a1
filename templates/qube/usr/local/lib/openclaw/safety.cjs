// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What in a user's openclaw.json undoes the safety of a server, and is set back by an apply. This
// is the only list of it. It covers what OpenClaw's own `security audit` calls critical in the
// file, and what is of the same kind. What the configuration in dom0 says is never set back.

'use strict';
const fs = require('node:fs');
const { HOME, path } = require('./files.cjs');
const { full, isTable } = require('./configuration.cjs');
const { KEYS } = require('./keys.cjs');

const WHY = {
    reach: 'only the configured clients, with the token, reach the gateway',
    people: 'whoever gives the agent orders has its whole qube',
    hooks: 'hooks are a second way in, beside the token',
    dangerous: 'it switches off a protection of OpenClaw, by its own name',
    keys: 'keys are given to the providers in use only: openclaw-key set PROVIDER',
    switches: "OpenClaw's own switches are set in its unit",
    audit: 'it hides what the security audit finds',
    container: 'it opens the container that it is to close',
    pinned: 'what runs is pinned, and updated with the formula',
    small: 'a small model obeys whatever text a page contains: it gets no web tools',
};

// What in `gateway` is the user's own. All else there is set back, so that what a newer OpenClaw
// adds is closed until it is listed here. A `false` switches something off, and stays.
const OWN_IN_GATEWAY = [
    'auth.rateLimit',
    'controlUi.allowedOrigins',
    'controlUi.automaticallyFetchFavicons',
    'controlUi.basePath',
    'controlUi.communityInvite',
    'controlUi.enabled',
    'controlUi.environment',
    'controlUi.github',
    'http',
    'nodes.browser',
    'nodes.commands.deny',
    'push',
    'reload',
    'roles',
    'tools.deny',
];

/**
 * Sets back what undoes safety. `configured` is what the configuration says, which stays;
 * `variables` is what `${NAME}` stands for. Returns the path of each change, and why.
 */
function setBack(settings, configured, variables) {
    const changes = [];
    const file = new File(settings, configured, variables, changes);
    gateway(file);
    names(file);
    people(file);
    telegram(file);
    hooks(file);
    environment(file);
    containers(file);
    smallModels(file);
    file.remove(['security', 'audit', 'suppressions'], WHY.audit);
    file.remove(['discovery', 'wideArea'], WHY.reach);
    if (file.at(['update', 'auto', 'enabled']) === true) {
        file.set(['update', 'auto', 'enabled'], false, WHY.pinned);
    }
    // A setting that two rules change is named once.
    return changes.filter(({ at }, number) => changes.findIndex((other) => other.at === at) === number);
}

/** Settings on which changes are recorded. A path is a list of keys, and of numbers in lists. */
class File {
    constructor(settings, configured, variables, changes) {
        Object.assign(this, { settings, configured, variables, changes });
    }

    at(steps) {
        return steps.reduce((value, step) => (Object.hasOwn(Object(value), step) ? value[step] : undefined), this.settings);
    }

    /** Whether the configuration says this: itself, or the whole list that it is in. */
    isConfigured(steps) {
        let value = this.configured;
        for (const step of steps) {
            if (!isTable(value)) {
                return value !== undefined;
            }
            value = Object.hasOwn(value, step) ? value[step] : undefined;
        }
        return value !== undefined && !isTable(value);
    }

    set(steps, value, why) {
        if (this.isConfigured(steps)) {
            return;
        }
        let table = this.settings;
        for (const step of steps.slice(0, -1)) {
            table[step] = Object(table[step]) === table[step] ? table[step] : {};
            table = table[step];
        }
        table[steps.at(-1)] = value;
        this.changes.push({ at: dotted(steps), why });
    }

    /** Removes a setting, or of a table what is not configured. */
    remove(steps, why) {
        const value = this.at(steps);
        if (value === undefined || this.isConfigured(steps)) {
            return;
        }
        if (isTable(value)) {
            Object.keys(value).forEach((key) => this.remove([...steps, key], why));
            if (Object.keys(value).length > 0) {
                return;
            }
            delete this.at(steps.slice(0, -1))[steps.at(-1)];
        } else {
            delete this.at(steps.slice(0, -1))[steps.at(-1)];
            this.changes.push({ at: dotted(steps), why });
        }
    }

    /** Leaves out of a list what is not to be in it. */
    filter(steps, keep, why) {
        const list = this.at(steps);
        if (Array.isArray(list) && !list.every(keep)) {
            this.set(steps, list.filter(keep), why);
        }
    }

    /** Calls back with each value below a path, tables and lists first. */
    walk(steps, visit) {
        const value = this.at(steps);
        visit(steps, value);
        // What the visit removed or replaced is gone.
        const now = this.at(steps);
        if (now !== null && typeof now === 'object') {
            Object.keys(now).forEach((key) => this.walk([...steps, Array.isArray(now) ? Number(key) : key], visit));
        }
    }

    /** A text as OpenClaw takes it: without spaces around it, and its variables replaced. */
    meant(value) {
        const replaced = String(value).replace(/\$\{(\w+)\}/g, (whole, name) => this.variables[name] ?? whole);
        return replaced.trim().toLowerCase();
    }
}

function dotted(steps) {
    return steps.map((step, at) => {
        if (typeof step === 'number') {
            return `[${step}]`;
        }
        const word = /^[\w-]+$/.test(step) ? step : JSON.stringify(step);
        return at === 0 ? word : `.${word}`;
    }).join('');
}

/** Who reaches the gateway, and with what. */
function gateway(file) {
    file.walk(['gateway'], (steps, value) => {
        const below = steps.slice(1).join('.');
        const own = OWN_IN_GATEWAY.some((name) => below === name || below.startsWith(`${name}.`));
        if (!own && below && !isTable(value) && value !== false) {
            file.remove(steps, WHY.reach);
        }
    });
    // One that is named with a star is many.
    file.filter(['gateway', 'controlUi', 'allowedOrigins'], (origin) => !file.meant(origin).includes('*'), WHY.reach);
}

/** What calls itself dangerous, wherever it is. */
function names(file) {
    file.walk([], (steps, value) => {
        const name = steps.at(-1);
        if (/dangerous|insecure|unsafe|skipverify|allowprivatenetwork/i.test(name) && value !== false) {
            file.remove(steps, WHY.dangerous);
        }
    });
}

/** Who may give the agent orders: nobody who is not named. */
function people(file) {
    const everybody = (value) => ['*', 'all', 'everyone'].includes(file.meant(value)) || file.meant(value).endsWith(':*');
    file.walk([], (steps, value) => {
        const name = String(steps.findLast((step) => typeof step === 'string') ?? '');
        const channel = steps[0] === 'channels' || steps[0] === 'accessGroups';
        // Which tools there are, and who is kept out, is another matter.
        const list = /allowFrom$/i.test(name) || steps.includes('allowFrom')
            || (channel && !steps.some((step) => /^(tools|toolsBySender|capabilities)$|deny|block/i.test(step)));
        if (list && Array.isArray(value)) {
            file.filter(steps, (item) => typeof item === 'object' || !everybody(item), WHY.people);
            needsNobody(file, steps);
        } else if (/allowFrom$/i.test(name) && typeof value === 'string' && everybody(value)) {
            file.set(steps, [], WHY.people);
        } else if (channel && typeof value === 'string' && file.meant(value) === 'open') {
            const policy = { dmPolicy: 'pairing', policy: 'pairing', groupPolicy: 'allowlist' }[name];
            if (policy) {
                file.set(steps, policy, WHY.people);
            } else {
                file.remove(steps, WHY.people);
            }
        }
    });
}

/** With a list of people that is empty now, a policy that asks for one would be invalid. */
function needsNobody(file, steps) {
    const policy = [...steps.slice(0, -1), 'dmPolicy'];
    if (steps.at(-1) === 'allowFrom' && file.at(steps).length === 0 && file.at(policy) === 'allowlist') {
        file.set(policy, 'pairing', WHY.people);
    }
}

/**
 * Telegram's groups without a list of senders. OpenClaw then asks the list for direct messages, or
 * lets nobody in. Here that is said, which changes nothing but what the audit finds.
 */
function telegram(file) {
    const channel = file.at(['channels', 'telegram']);
    if (!isTable(channel) || file.at(['commands', 'text']) === false) {
        return;
    }
    const accounts = isTable(channel.accounts) ? Object.keys(channel.accounts) : [];
    for (const steps of [[], ...accounts.map((id) => ['accounts', id])]) {
        const section = { ...channel, ...file.at(['channels', 'telegram', ...steps]) };
        const groups = isTable(section.groups) ? Object.values(section.groups).filter(isTable) : [];
        const listed = (table) => Array.isArray(table.allowFrom) && table.allowFrom.length > 0;
        const topics = groups.flatMap((group) => Object.values(group.topics ?? {}).filter(isTable));
        const named = Array.isArray(section.groupAllowFrom) && section.groupAllowFrom.length > 0;
        const policy = section.groupPolicy ?? file.at(['channels', 'defaults', 'groupPolicy']) ?? 'allowlist';
        if (policy !== 'allowlist' || groups.length === 0 || named || [...groups, ...topics].some(listed)) {
            continue;
        }
        if (listed(section)) {
            file.set(['channels', 'telegram', ...steps, 'groupAllowFrom'], section.allowFrom, WHY.people);
        } else {
            file.set(['channels', 'telegram', ...steps, 'groupPolicy'], 'disabled', WHY.people);
        }
        Object.assign(channel, file.at(['channels', 'telegram']));
    }
}

/** Calls from outside, that start turns. */
function hooks(file) {
    if (file.at(['hooks', 'enabled']) === true) {
        file.set(['hooks', 'enabled'], false, WHY.hooks);
    }
    if (file.at(['hooks', 'allowRequestSessionKey']) === true) {
        file.remove(['hooks', 'allowRequestSessionKey'], WHY.hooks);
    }
    if (file.at(['hooks', 'enabled']) !== true) {
        return;
    }
    // Where the configuration has them on, what only the user's file says does not widen them.
    for (const name of [['path'], ['token'], ['allowedSessionKeyPrefixes'], ['gmail', 'tailscale']]) {
        file.remove(['hooks', ...name], WHY.hooks);
    }
    const agents = file.at(['hooks', 'allowedAgentIds']);
    if (!Array.isArray(agents) || agents.some((id) => file.meant(id) === '*')) {
        file.set(['hooks', 'allowedAgentIds'], [], WHY.hooks);
    }
}

/** Variables that the file gives to OpenClaw. */
function environment(file) {
    if (file.at(['env', 'shellEnv', 'enabled']) === true) {
        file.set(['env', 'shellEnv', 'enabled'], false, WHY.keys);
    }
    file.walk(['env'], (steps, value) => {
        const name = String(steps.at(-1));
        if (typeof value === 'object' || steps.length < 2) {
            return;
        }
        if (/^(OPENCLAW_|NODE_OPTIONS$)/.test(name)) {
            file.remove(steps, WHY.switches);
        } else if (KEYS.some((key) => key.variable === name)) {
            file.remove(steps, WHY.keys);
        }
    });
}

/** Containers of the agent's tools, where the user has set some up. */
function containers(file) {
    file.walk(['agents'], (steps, value) => {
        const [outer, kind] = steps.slice(-2);
        if (outer !== 'sandbox' || !['docker', 'browser'].includes(kind) || !isTable(value)) {
            return;
        }
        if (/^(host$|container:)/.test(file.meant(value.network ?? ''))) {
            file.remove([...steps, 'network'], WHY.container);
        }
        for (const name of ['seccompProfile', 'apparmorProfile']) {
            if (file.meant(value[name] ?? '') === 'unconfined') {
                file.remove([...steps, name], WHY.container);
            }
        }
        file.filter([...steps, 'binds'], (bind) => isOwnFolder(String(bind).split(':')[0]), WHY.container);
    });
}

/** Whether a folder is one of the user's, none of those where programs keep what is theirs. */
function isOwnFolder(folder) {
    let real = path.resolve('/', folder);
    try {
        real = fs.realpathSync(real);
    } catch {
        // It is not there: its name counts.
    }
    const below = path.relative(HOME, real);
    return folder.startsWith('/') && below !== '' && !below.startsWith('.');
}

/** Small models, and those that run in the qube, wherever the file chooses one. */
function smallModels(file) {
    const chosen = new Set();
    const look = (steps, value) => {
        const name = String(steps.findLast((step) => typeof step === 'string') ?? '');
        if (typeof value === 'string' && /^(primary|fallbacks)$|model$/i.test(name) && isSmall(full(file.settings, value.trim()).toLowerCase())) {
            chosen.add(full(file.settings, value.trim()));
        }
    };
    ['agents', 'channels', 'cron', 'hooks', 'messages'].forEach((part) => file.walk([part], look));
    for (const model of chosen) {
        const steps = ['tools', 'byProvider', model, 'deny'];
        const denied = file.at(steps) ?? [];
        const lacking = ['group:web', 'browser'].filter((tool) => Array.isArray(denied) && !denied.includes(tool));
        if (lacking.length > 0) {
            file.set(steps, [...denied, ...lacking], WHY.small);
        }
    }
}

function isSmall(model) {
    const sizes = [...model.matchAll(/(?<![a-z0-9])[a-z]?(\d+(?:\.\d+)?)b(?![a-z0-9])/g)].map((found) => Number(found[1]));
    return model.startsWith('ollama/') || (sizes.length > 0 && Math.max(...sizes) <= 300);
}

module.exports = { setBack };
