// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why a setting of OpenClaw's is refused, and why others are not.

/// Why a setting is refused.
#[derive(Debug)]
pub struct Why {
    /// In a few words.
    pub label: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What to do instead.
    pub instead: Option<&'static str>,
}

const fn why(label: &'static str, rule: &'static str) -> Why {
    assert!(!label.is_empty() && !rule.is_empty(), "a reason is needed");
    Why {
        label,
        rule,
        instead: None,
    }
}

const fn instead(why: &Why, instead: &'static str) -> Why {
    Why {
        label: why.label,
        rule: why.rule,
        instead: Some(instead),
    }
}

/// Why settings do no harm. There is none without words: the program is not built then.
#[derive(Clone, Copy, Debug)]
pub struct Reason(pub &'static str);

/// A reason, which has words.
pub const fn because(reason: &'static str) -> Reason {
    assert!(!reason.is_empty(), "a reason is needed");
    Reason(reason)
}

pub static MANAGED: Why = why(
    "the formula sets it",
    "what the formula sets keeps the server safe, or follows from other keys of the server",
);
pub static MANAGED_PORT: Why = instead(&MANAGED, "write ports = { gateway = … }");
pub static MANAGED_MODE: Why = instead(&MANAGED, "write `mode`");
pub static MANAGED_TLS: Why = instead(&MANAGED, "write `tls`");
pub static MANAGED_MODEL: Why = instead(&MANAGED, "write `model`");
pub static REACH: Why = why(
    "decides who reaches the server",
    "only the dashboard's user, with the token, and the configured clients reach the server",
);
pub static MODELS: Why = instead(
    &why(
        "another way to models",
        "the server's providers are those that the formula sets up",
    ),
    "write `provider` and `model`",
);
pub static OTHER_PROVIDER: Why = instead(
    &why(
        "not a provider of the server",
        "the server uses no provider but its own: another one costs money elsewhere, and OpenClaw \
         may fetch a plugin for it",
    ),
    "choose one of the server's own",
);
pub static OTHER_MODEL: Why = instead(
    &why(
        "not a model of the server's providers",
        "a model is named with its provider, which is one of the server's own: OpenClaw looks for \
         a name without one, or an alias, wherever it likes",
    ),
    "write it as \"PROVIDER/MODEL\"",
);
pub static OTHER_SEARCH: Why = why(
    "another service",
    "what is searched for goes to nobody but the server's own provider: another service needs a \
     key of its own, and OpenClaw may fetch a plugin for it",
);
pub static MAY: Why = why(
    "decides what the agent may do",
    "the agent gets no rights that it does not have by itself",
);
pub static RUNS: Why = why(
    "runs programs",
    "what a server is configured to run is pinned by its hash",
);
pub static FETCHED: Why = why(
    "is fetched as the gateway starts",
    "what a server is configured to run is pinned by its hash; this needs a plugin that OpenClaw \
     fetches from npm as it starts, and waits for",
);
pub static SENDS: Why = why(
    "sends data elsewhere",
    "what is said in the server stays between its user, its model and its channels",
);
pub static COSTS: Why = why(
    "costs money unasked",
    "the model is called when somebody asks it something, and not by itself",
);
pub static OPEN: Why = instead(
    &why(
        "open to everybody",
        "whoever gives the agent orders has its whole qube",
    ),
    "name who may",
);
pub static NOBODY: Why = instead(
    &why(
        "not one person or chat",
        "whoever gives the agent orders has its whole qube: each is named by an id, of letters, \
         digits and _ @ + . : - without spaces, for OpenClaw trims and cuts what it compares",
    ),
    "write the id alone",
);
pub static ORDERS: Why = why(
    "gives the agent orders",
    "what stands here the agent does, with all that its qube has: it is a program, and is read \
     like one",
);
pub static LABEL: Why = instead(
    &why(
        "not a short label",
        "what is shown to people, and to the model beside other text, is one line of at most 100 \
         characters without an address of the web: more could give the agent orders",
    ),
    "shorten it",
);
pub static NAME: Why = instead(
    &why(
        "not a plain name",
        "this is a name or a time: ASCII letters, digits and _ . : @ + - / without spaces, and \
         neither a path nor a pattern",
    ),
    "write the name alone",
);
pub static ALL_TOOLS: Why = instead(
    &why(
        "not one tool",
        "what the agent may do is listed, one by one",
    ),
    "name the tools",
);
pub static FOLDER: Why = instead(
    &why(
        "not a folder for work",
        "the agent works in visible folders below the user's home, or in OpenClaw's own \
         workspaces: what else is there holds keys, is started by the system, or came from other \
         qubes",
    ),
    "write \"~/SOME_FOLDER\" or \"~/.openclaw/workspace-SOME_NAME\"",
);
pub static PATTERN: Why = instead(
    &why(
        "leads out of its folder",
        "a pattern names files in the folder beside it",
    ),
    "write a pattern such as \"**/*.md\"",
);
pub static SECRET_FILE: Why = instead(
    &why(
        "not the file of OpenClaw's secrets",
        "a file of secrets holds nothing but what its user put there for this: OpenClaw reads \
         all of it, and sends it to where the reference stands",
    ),
    "write \"~/.openclaw/secrets.json\", or use `source = \"store\"`",
);
pub static UNKNOWN: Why = why(
    "not known to be harmless",
    "OpenClaw takes whatever stands here, hands it on or opens it; some of it replaces what the \
     user says, or whom it is sent to",
);
pub static NEW: Why = why(
    "not judged yet",
    "this setting is newer than the rules of this program",
);
pub static DANGEROUS: Why = why(
    "dangerous by its name",
    "OpenClaw's own protections stay on",
);
pub static UNRESTRICTED: Why = instead(
    &why(
        "has web tools",
        "a small local model obeys whatever text a page contains: it gets no web tools, which the \
         formula sees to for `model` only",
    ),
    "write `model`",
);
pub static INCLUDE: Why = why(
    "takes in another file",
    "what a server is configured with is what can be read here",
);
pub static SECRET: Why = instead(
    &why(
        "a secret",
        "no secret stands in dom0, in the packages, or in what Salt sends to every managed qube",
    ),
    "write { source = \"store\", provider = \"default\", id = \"SOME_NAME\" }, and in the qube \
     `openclaw secrets store set SOME_NAME`",
);
pub static REFERENCE: Why = why(
    "takes a secret from elsewhere",
    "OpenClaw replaces ${NAME} in any text by what its environment holds, and a reference by what \
     it leads to: that belongs only in the settings that OpenClaw lists for secrets, for from \
     elsewhere it is shown or sent on",
);
pub static UNMASKS: Why = why(
    "replaces what hides secrets",
    "what OpenClaw writes into its logs is cleared of secrets by its own rules",
);
pub static INTERNAL: Why = why(
    "OpenClaw's own affair",
    "these settings are kept by OpenClaw itself, or are about other programs",
);
