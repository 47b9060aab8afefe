//! The sample plugins that the binary carries.

use hookbox_plugins::Sample;

/// All samples. Some run when the configuration names no other plugin; the others change something, or need settings, and
/// wait for a table of their name.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "archive-sync",
        component: include_bytes!("../../../guest-plugins/prebuilt/archive-sync.wasm"),
        default: false,
    },
    Sample {
        name: "audit-log",
        component: include_bytes!("../../../guest-plugins/prebuilt/audit-log.wasm"),
        default: false,
    },
    Sample {
        name: "catalog-logger",
        component: include_bytes!("../../../guest-plugins/prebuilt/catalog-logger.wasm"),
        default: true,
    },
    Sample {
        name: "course-about-url",
        component: include_bytes!("../../../guest-plugins/prebuilt/course-about-url.wasm"),
        default: true,
    },
    Sample {
        name: "enrollment-guard",
        component: include_bytes!("../../../guest-plugins/prebuilt/enrollment-guard.wasm"),
        default: true,
    },
    Sample {
        name: "webhook-forwarder",
        component: include_bytes!("../../../guest-plugins/prebuilt/webhook-forwarder.wasm"),
        default: false,
    },
];
