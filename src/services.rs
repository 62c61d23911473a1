// SPDX-License-Identifier: MIT OR Apache-2.0

//! The qrexec services of Qubes' own packages, and what becomes of each where an agent's qube
//! calls it or is called. The policy takes its rules from here, and `docs/services.md` its table.
//! A service has its reason beside it, so that there is no rule without one.

/// What becomes of a call from an agent's qube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// It is denied, whatever the target.
    Denied(Kind),
    /// It is denied where the server has no netvm; otherwise others decide.
    DeniedOffline,
    /// The same, and it is denied in a disposable by default, wherever Qubes' settings send it.
    DeniedInDisposables,
    /// dom0 takes it, as it takes it from every qube.
    InDom0,
    /// It is for dom0, and is denied with every other call there.
    ClosedInDom0,
    /// Qubes' own policy decides, or the user's.
    Left,
}

/// What becomes of a call into an agent's qube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// The server's clients have its ports; everything else is denied.
    Ports,
    /// It is denied to every qube. dom0 needs no policy for its own calls.
    Denied,
    /// Qubes' own policy decides, or the user's.
    Left,
    /// Only dom0 answers such a call.
    Dom0,
}

/// Why services are denied together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A connection.
    Connects,
    /// It runs what the caller says.
    Runs,
    /// It gives the caller a disposable, or a file that is not its own.
    Reads,
    /// It gives the caller a device, or takes the place of one.
    Devices,
    /// It fetches what the caller names.
    Fetches,
}

impl Kind {
    /// What the policy says above the rules. Plain text: it stands in a comment.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Connects => "TCP connections.",
            Kind::Runs => "What runs a command that the caller says, or a program.",
            Kind::Reads => "What opens a disposable, or gives the caller a file of the target.",
            Kind::Devices => "Devices, cameras, screens and keyboards.",
            Kind::Fetches => "What fetches from the network what the caller names.",
        }
    }
}

/// A service, or a family of services: its name then ends with `*`.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// The package of Qubes' that has it, as the repository is called.
    pub package: &'static str,
    /// From an agent's qube.
    pub from: From,
    /// Into an agent's qube.
    pub into: Into,
    /// The reason for both.
    pub why: &'static str,
}

const fn service(
    name: &'static str,
    package: &'static str,
    from: From,
    into: Into,
    why: &'static str,
) -> Service {
    assert!(!why.is_empty(), "a service without a reason");
    Service {
        name,
        package,
        from,
        into,
        why,
    }
}

const AGENT: &str = "core-agent-linux";
const ADMIN: &str = "core-admin";

const CONNECTS: From = From::Denied(Kind::Connects);
const RUNS: From = From::Denied(Kind::Runs);
const READS: From = From::Denied(Kind::Reads);
const DEVICES: From = From::Denied(Kind::Devices);
const FETCHES: From = From::Denied(Kind::Fetches);

/// All of them, the denied ones first and by kind.
pub const SERVICES: [Service; 75] = [
    service(
        "qubes.ConnectTCP",
        AGENT,
        CONNECTS,
        Into::Ports,
        "Any loopback port of the target, whatever listens there.",
    ),
    service(
        "qubes.VMShell",
        AGENT,
        RUNS,
        Into::Denied,
        "Any command, as the target's user. `inter-qube` and `inter-qube-to-clients` open it on request.",
    ),
    service(
        "qubes.VMExec",
        AGENT,
        RUNS,
        Into::Denied,
        "As `qubes.VMShell`.",
    ),
    service(
        "qubes.VMExecGUI",
        AGENT,
        RUNS,
        Into::Denied,
        "As `qubes.VMShell`.",
    ),
    service(
        "qubes.VMRootShell",
        AGENT,
        RUNS,
        Into::Denied,
        "Any command, as root. An apply needs it into the server: Salt's own rules, in `30-qubesctl-salt.policy`, come before.",
    ),
    service(
        "qubes.VMRootExec",
        AGENT,
        RUNS,
        Into::Denied,
        "Any command, as root.",
    ),
    service(
        "qubes.SaltLinuxVM",
        "mgmt-salt",
        RUNS,
        Into::Denied,
        "Runs, as root, the states that lie in the target's `QubesIncoming`. An apply calls it from dom0, in a management disposable, and asks no policy.",
    ),
    service(
        "qubes.Backup",
        AGENT,
        RUNS,
        Into::Denied,
        "Runs a command of the caller's, as the place of a backup. dom0 calls it.",
    ),
    service(
        "qubes.Restore",
        AGENT,
        RUNS,
        Into::Denied,
        "As `qubes.Backup`.",
    ),
    service(
        "qubes.RegisterBackupLocation",
        AGENT,
        RUNS,
        Into::Denied,
        "Keeps a command of the caller's for `qubes.RestoreById`.",
    ),
    service(
        "qubes.RestoreById",
        AGENT,
        RUNS,
        Into::Denied,
        "Runs a command that was registered.",
    ),
    service(
        "qubes.StartApp",
        AGENT,
        RUNS,
        Into::Left,
        "Starts a program of the target's menu. Into the server it starts no other one, and Qubes asks first.",
    ),
    service(
        "qubes.GetImageRGBA",
        AGENT,
        READS,
        Into::Left,
        "Gives the caller any picture of the target's, or opens a disposable, by default without a question.",
    ),
    service(
        "qubes.PdfConvert",
        "app-linux-pdf-converter",
        READS,
        Into::Left,
        "Opens a disposable, which may have a network, without a question.",
    ),
    service(
        "qubes.USB",
        "app-linux-usb-proxy",
        DEVICES,
        Into::Left,
        "Takes a USB device from the qube that has it.",
    ),
    service(
        "qubes.USBAttach",
        "app-linux-usb-proxy",
        DEVICES,
        Into::Denied,
        "Attaches a USB device to the target, as root. dom0 calls it.",
    ),
    service(
        "qubes.USBDetach",
        "app-linux-usb-proxy",
        DEVICES,
        Into::Denied,
        "Takes a USB device off the target, as root. dom0 calls it.",
    ),
    service(
        "qubes.InputKeyboard",
        "app-linux-input-proxy",
        DEVICES,
        Into::Left,
        "Types in dom0, as a keyboard does.",
    ),
    service(
        "qubes.InputMouse",
        "app-linux-input-proxy",
        DEVICES,
        Into::Left,
        "Clicks in dom0, as a mouse does.",
    ),
    service(
        "qubes.InputTablet",
        "app-linux-input-proxy",
        DEVICES,
        Into::Left,
        "As `qubes.InputMouse`.",
    ),
    service(
        "qvc.Webcam",
        "video-companion",
        DEVICES,
        Into::Left,
        "Shows the caller what the target's camera sees.",
    ),
    service(
        "qvc.ScreenShare",
        "video-companion",
        DEVICES,
        Into::Left,
        "Shows the caller the target's screen: dom0's is that of all qubes.",
    ),
    service(
        "qvc.WebcamAttach",
        "video-companion",
        DEVICES,
        Into::Denied,
        "Attaches a camera to the target. dom0 calls it.",
    ),
    service(
        "qvc.WebcamDetach",
        "video-companion",
        DEVICES,
        Into::Denied,
        "Takes a camera off the target. dom0 calls it.",
    ),
    service(
        "qubes.AudioInputEnable",
        "gui-daemon",
        DEVICES,
        Into::Left,
        "Turns a qube's microphone on, in the qube that has the sound. dom0 calls it.",
    ),
    service(
        "qubes.AudioInputDisable",
        "gui-daemon",
        DEVICES,
        Into::Left,
        "As `qubes.AudioInputEnable`.",
    ),
    service(
        "qubes.ShowInTerminal",
        AGENT,
        DEVICES,
        Into::Left,
        "Shows the caller's text in a terminal of the target, and gives the caller what is typed there.",
    ),
    service(
        "qubes.TemplateSearch",
        AGENT,
        FETCHES,
        Into::Left,
        "Asks repositories that the caller names, with the target's network. dom0 calls it in its update qube.",
    ),
    service(
        "qubes.TemplateDownload",
        AGENT,
        FETCHES,
        Into::Left,
        "As `qubes.TemplateSearch`.",
    ),
    service(
        "qubes.OpenURL",
        AGENT,
        From::DeniedInDisposables,
        Into::Left,
        "A link is a way to a network, and a disposable's is not the server's own. With a netvm, the server may ask for a qube by name: your policy decides.",
    ),
    service(
        "qubes.OpenInVM",
        AGENT,
        From::DeniedInDisposables,
        Into::Left,
        "As `qubes.OpenURL`: the file may be a page.",
    ),
    service(
        "qubes.UpdatesProxy",
        AGENT,
        From::DeniedOffline,
        Into::Left,
        "A proxy to any host. With a netvm it gives nothing more, and Qubes denies it to all but templates.",
    ),
    service(
        "qubes.FeaturesRequest",
        ADMIN,
        From::InDom0,
        Into::Dom0,
        "Says what the qube's system can do; dom0 takes known words only, and of qubes without a template only.",
    ),
    service(
        "qubes.NotifyUpdates",
        ADMIN,
        From::InDom0,
        Into::Dom0,
        "Says whether there are updates: one number.",
    ),
    service(
        "qubes.SyncAppMenus",
        "desktop-linux-common",
        From::InDom0,
        Into::Dom0,
        "Brings the qube's menu up to date, in dom0's own form.",
    ),
    service(
        "qubes.WindowIconUpdater",
        "gui-daemon",
        From::InDom0,
        Into::Dom0,
        "The icons of the qube's windows, which dom0 tints with its label.",
    ),
    service(
        "qubes.GetRandomizedTime",
        ADMIN,
        From::InDom0,
        Into::Dom0,
        "The time, not quite exact.",
    ),
    service(
        "qubes.GetDate",
        ADMIN,
        From::Left,
        Into::Left,
        "The time. The caller names no target, and dom0 answers. Whonix denies it.",
    ),
    service(
        "qubes.Notifications",
        ADMIN,
        From::Left,
        Into::Left,
        "A notification. The caller names no target, and dom0 shows it with the name of the qube.",
    ),
    service(
        "qubes.NotifyTools",
        ADMIN,
        From::ClosedInDom0,
        Into::Dom0,
        "For Windows.",
    ),
    service(
        "qubes.ReceiveUpdates",
        "core-admin-linux",
        From::ClosedInDom0,
        Into::Dom0,
        "dom0's updates: no agent's qube brings them.",
    ),
    service(
        "qubes.repos.*",
        "core-admin-linux",
        From::ClosedInDom0,
        Into::Dom0,
        "dom0's repositories.",
    ),
    service(
        "admin.*",
        ADMIN,
        From::ClosedInDom0,
        Into::Dom0,
        "Qubes' admin API. A call about another qube names that qube: a rule that opens it names the service, and sends it to dom0.",
    ),
    service(
        "policy.*",
        "core-qrexec",
        From::ClosedInDom0,
        Into::Dom0,
        "The policy itself.",
    ),
    service(
        "qubes.Filecopy",
        AGENT,
        From::Left,
        Into::Left,
        "Copies files into a folder of their own. Qubes asks each time; `inter-qube` and `inter-qube-to-clients` open it on request.",
    ),
    service(
        "qubes.ClipboardPaste",
        "gui-daemon",
        From::Left,
        Into::Left,
        "Only after the keys for it were pressed.",
    ),
    service(
        "qubes.Gpg",
        "app-linux-split-gpg",
        From::Left,
        Into::Left,
        "Signs with a key of yours, if you gave it to this qube: your rule says so, and by default you are asked.",
    ),
    service(
        "qubes.Gpg2",
        "app-linux-split-gpg2",
        From::Left,
        Into::Left,
        "As `qubes.Gpg`; without a rule of yours it is denied.",
    ),
    service(
        "qubes.GpgImportKey",
        "app-linux-split-gpg",
        From::Left,
        Into::Left,
        "As `qubes.Gpg`.",
    ),
    service(
        "u2f.*",
        "app-u2f",
        From::Left,
        Into::Left,
        "Your security key, if you gave it to this qube; without a rule of yours it is denied.",
    ),
    service("ctap.*", "app-u2f", From::Left, Into::Left, "As `u2f.*`."),
    service(
        "qubes.SelectFile",
        AGENT,
        From::Left,
        Into::Left,
        "Asks for a file in a window of the target, and gives its name. Qubes denies it; dom0 calls it.",
    ),
    service(
        "qubes.SelectDirectory",
        AGENT,
        From::Left,
        Into::Left,
        "As `qubes.SelectFile`.",
    ),
    service(
        "qubes.GetAppmenus",
        AGENT,
        From::Left,
        Into::Left,
        "Gives the target's menu. Qubes denies it; dom0 calls it, as the ones below.",
    ),
    service(
        "qubes.InstallUpdatesGUI",
        AGENT,
        From::Left,
        Into::Left,
        "Installs the distribution's updates: no choice is the caller's.",
    ),
    service(
        "qubes.PostInstall",
        AGENT,
        From::Left,
        Into::Left,
        "Has the target say what it can do.",
    ),
    service(
        "qubes.SetDateTime",
        AGENT,
        From::Left,
        Into::Left,
        "Sets the target's clock.",
    ),
    service(
        "qubes.SyncNtpClock",
        AGENT,
        From::Left,
        Into::Left,
        "Has the target set its clock.",
    ),
    service(
        "qubes.SuspendPre",
        AGENT,
        From::Left,
        Into::Left,
        "Prepares the target for suspend.",
    ),
    service(
        "qubes.SuspendPreAll",
        AGENT,
        From::Left,
        Into::Left,
        "As `qubes.SuspendPre`.",
    ),
    service(
        "qubes.SuspendPost",
        AGENT,
        From::Left,
        Into::Left,
        "Wakes the target after suspend.",
    ),
    service(
        "qubes.SuspendPostAll",
        AGENT,
        From::Left,
        Into::Left,
        "As `qubes.SuspendPost`.",
    ),
    service(
        "qubes.DetachPciDevice",
        AGENT,
        From::Left,
        Into::Left,
        "Has the target let go of a PCI device.",
    ),
    service(
        "qubes.ResizeDisk",
        AGENT,
        From::Left,
        Into::Left,
        "Has the target use a volume that dom0 made larger.",
    ),
    service(
        "qubes.SetMonitorLayout",
        "gui-agent-linux",
        From::Left,
        Into::Left,
        "Says how large the screens are.",
    ),
    service(
        "qubes.GuiVMSession",
        "gui-agent-linux",
        From::Left,
        Into::Left,
        "Starts the session of a GUI qube.",
    ),
    service(
        "qubes.SetGuiMode",
        "gui-agent-linux",
        From::Left,
        Into::Left,
        "Says whether each window is shown by itself.",
    ),
    service(
        "qubes.SetAudioVM",
        "gui-agent-linux",
        From::Left,
        Into::Left,
        "Says which qube has the sound.",
    ),
    service(
        "qubes.Log",
        AGENT,
        From::Left,
        Into::Left,
        "Adds lines to a log of the target. Qubes denies it.",
    ),
    service(
        "qubes.WaitForSession",
        "core-qrexec",
        From::Left,
        Into::Left,
        "Waits.",
    ),
    service(
        "qubes.WaitForRunningSystem",
        AGENT,
        From::Left,
        Into::Left,
        "Waits.",
    ),
    service(
        "qubes.WaitForNetworkUplink",
        AGENT,
        From::Left,
        Into::Left,
        "Waits.",
    ),
    service(
        "sdwdate-gui.*",
        "core-admin-addon-whonix",
        From::Left,
        Into::Left,
        "Whonix' clock; its policy names its own qubes.",
    ),
    service(
        "sdwdate.*",
        "core-admin-addon-whonix",
        From::Left,
        Into::Left,
        "As `sdwdate-gui.*`.",
    ),
    service(
        "whonix.*",
        "core-admin-addon-whonix",
        From::Left,
        Into::Left,
        "As `sdwdate-gui.*`.",
    ),
];

/// The table for `docs/services.md`.
pub fn table() -> String {
    let mut text = String::from(
        "| Service | Package | From the agent's qube | Into it | Why |\n|---|---|---|---|---|\n",
    );
    for service in &SERVICES {
        let from = match service.from {
            From::Denied(_) => "denied",
            From::DeniedOffline => "denied without a netvm",
            From::DeniedInDisposables => "denied without a netvm, and in disposables",
            From::InDom0 => "allowed, in dom0",
            From::ClosedInDom0 => "denied",
            From::Left => "left",
        };
        let into = match service.into {
            Into::Ports => "clients, on its ports",
            Into::Denied => "denied",
            Into::Left => "left",
            Into::Dom0 => "-",
        };
        text.push_str(&format!(
            "| `{}` | {} | {from} | {into} | {} |\n",
            service.name, service.package, service.why
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_table() {
        let document = include_str!("../docs/services.md");
        let table = table();
        assert!(
            document.contains(&table),
            "docs/services.md lacks this table:\n{table}"
        );
    }

    #[test]
    fn rules_are_for_single_services_and_each_is_there_once() {
        for (number, service) in SERVICES.iter().enumerate() {
            assert!(
                SERVICES[..number]
                    .iter()
                    .all(|other| other.name != service.name),
                "{} twice",
                service.name
            );
            // Policy has no names with a star.
            let has_rule = matches!(
                service.from,
                From::Denied(_) | From::DeniedOffline | From::DeniedInDisposables | From::InDom0
            ) || service.into == Into::Denied;
            assert!(!has_rule || !service.name.contains('*'), "{}", service.name);
        }
    }

    #[test]
    fn services_of_a_kind_stand_together() {
        let kinds: Vec<_> = SERVICES
            .iter()
            .filter_map(|service| match service.from {
                From::Denied(kind) => Some(kind),
                _ => None,
            })
            .collect();
        assert!(kinds.is_sorted(), "{kinds:?}");
    }
}
