//! The course archive is there for plugins that are granted it, and a hostile one gains nothing but a typed failure.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookbox_sandbox::{
    ArchiveFault, ArchiveQuery, ArchiveStatus, CallContext, CallFailure, CourseArchive, Grant, Granting,
    Grants, Limit, Plugin, ProblemCode, Sandbox, Services, async_trait,
};
use serde_json::{Map, Value, json};

use crate::support::{
    AGES, admit_with, call, call_within, contract, object, only_function, options, sandbox, sandbox_with,
    signature, until, written,
};

const COURSE: &str = "course-v1:edX+DemoX+1";
/// An event about a course.
const CATALOG: &str = "org.openedx.content_authoring.course.catalog_info.changed.v1";

/// An archive in memory, whose rules are none.
#[derive(Default)]
pub(crate) struct Noted {
    rows: Mutex<BTreeMap<(String, i64), ArchiveStatus>>,
    /// Who asked, and what for.
    asked: Mutex<Vec<String>>,
}

impl Noted {
    fn note(&self, plugin: &str, what: &str) {
        self.asked.lock().unwrap().push(format!("{plugin}: {what}"));
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn row(id: i64, course_id: &str, user: i64, is_archived: bool) -> ArchiveStatus {
    ArchiveStatus {
        id,
        course_id: course_id.to_owned(),
        user,
        is_archived,
        archive_date: is_archived.then(|| "2026-01-02T03:04:05+00:00".to_owned()),
        last_synced: None,
        created_at: "2026-01-02T03:04:05+00:00".to_owned(),
        updated_at: "2026-01-02T03:04:05+00:00".to_owned(),
    }
}

#[async_trait]
impl CourseArchive for Noted {
    async fn status(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
    ) -> Result<Option<ArchiveStatus>, ArchiveFault> {
        self.note(plugin, &format!("status of {course_id}, {user}"));
        Ok(self.rows.lock().unwrap().get(&(course_id.to_owned(), user)).cloned())
    }

    async fn statuses(&self, plugin: &str, query: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault> {
        self.note(plugin, &format!("{query:?}"));
        Ok((1..=100).map(|id| row(id, COURSE, id, true)).collect())
    }

    async fn set_archived(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
        archived: bool,
    ) -> Result<ArchiveStatus, ArchiveFault> {
        self.note(plugin, &format!("{course_id}, {user} archived: {archived}"));
        if user == 13 {
            return Err(ArchiveFault::Invalid("user 13: no such user".to_owned()));
        }
        let row = row(1, course_id, user, archived);
        self.rows.lock().unwrap().insert((course_id.to_owned(), user), row.clone());
        Ok(row)
    }

    async fn set_last_synced(&self, plugin: &str, course_id: &str, time: &str) -> Result<u64, ArchiveFault> {
        self.note(plugin, &format!("{course_id} synced at {time}"));
        for row in self.rows.lock().unwrap().values_mut() {
            row.last_synced = Some(time.to_owned());
        }
        Ok(12_345)
    }
}

/// A plugin with these grants, on a sandbox with this archive.
pub(crate) fn with_archive(
    name: &str,
    grants: &[Grant],
    archive: Option<Arc<dyn CourseArchive>>,
) -> (Sandbox, Plugin) {
    let sandbox = sandbox_with(Services { course_archive: archive, ..Services::default() });
    let grants = Grants::new(grants.iter().cloned());
    let admitted = admit_with(&sandbox, &written(name), &Granting::These(&grants));
    let plugin = sandbox.plugin(&admitted, options());
    (sandbox, plugin)
}

/// The arguments of an enrollment of this user with this mode.
pub(crate) fn enrollment(user: i64, mode: &str) -> Map<String, Value> {
    object(json!({
        "user": {"id": user, "username": "ada", "email": "", "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": COURSE,
        "mode": mode,
    }))
}

/// What an enrollment of this user with this mode answers: the mode, or the message of what it raised.
async fn enroll(plugin: &Plugin, user: i64, mode: &str) -> Result<String, String> {
    let arguments = enrollment(user, mode);
    let context = Arc::new(CallContext::default());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match plugin.call(only_function(plugin), &arguments, context, AGES).await {
        Ok(Ok(outcome)) => Ok(text(&outcome["proceed"]["mode"]).unwrap_or_else(|| panic!("{outcome}"))),
        Ok(Err(failure)) => {
            let message = text(&failure["PreventEnrollment"]["message"]);
            Err(message.unwrap_or_else(|| panic!("{failure}")))
        }
        Err(failure) => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn what_is_granted_reads_and_writes_the_host_s_archive() {
    let archive = Arc::new(Noted::default());
    let (_sandbox, plugin) =
        with_archive("archives-by-mode", &[Grant::ArchiveWrite], Some(Arc::clone(&archive) as _));
    for (mode, learned) in [
        ("r", "none"),
        ("a", "archived"),
        ("r", "archived"),
        ("d", "2026-01-02T03:04:05+00:00"),
        ("y", "none"),
        ("s2026-03-04T05:06:07+00:00", "12345"),
        ("y", "2026-03-04T05:06:07+00:00"),
        ("u", "open"),
        ("d", "none"),
        ("l", "100"),
    ] {
        assert_eq!(enroll(&plugin, 7, mode).await.as_deref(), Ok(learned), "{mode}");
    }
    let asked = archive.asked();
    assert_eq!(asked[0], format!("tried: status of {COURSE}, 7"));
    assert_eq!(asked[1], format!("tried: {COURSE}, 7 archived: true"));
    assert_eq!(asked[5], format!("tried: {COURSE} synced at 2026-03-04T05:06:07+00:00"));
    let query = ArchiveQuery { course_id: Some(COURSE.to_owned()), limit: 1_000, ..ArchiveQuery::default() };
    assert_eq!(asked[9], format!("tried: {query:?}"));
}

#[tokio::test]
async fn what_the_archive_refuses_is_a_value_for_the_guest() {
    let (_sandbox, plugin) =
        with_archive("archives-by-mode", &[Grant::ArchiveWrite], Some(Arc::new(Noted::default())));
    assert_eq!(enroll(&plugin, 13, "a").await, Err("user 13: no such user".to_owned()));
    assert_eq!(enroll(&plugin, 13, "r").await.as_deref(), Ok("none"));
}

#[tokio::test]
async fn a_host_without_an_archive_says_so_to_every_question() {
    let (_sandbox, plugin) = with_archive("archives-by-mode", &[Grant::ArchiveWrite], None);
    for mode in ["r", "d", "y", "l", "a", "u", "s2026-03-04T05:06:07+00:00"] {
        let told = enroll(&plugin, 7, mode).await;
        assert_eq!(told, Err("there is no course archive here".to_owned()), "{mode}");
    }
}

#[tokio::test]
async fn writing_is_granted_without_importing_what_reads() {
    let archive = Arc::new(Noted::default());
    let (_sandbox, plugin) =
        with_archive("archives-changed-courses", &[Grant::ArchiveWrite], Some(Arc::clone(&archive) as _));
    let arguments = object(json!({
        "catalog_info": {
            "course_key": COURSE, "name": "Demo", "hidden": false, "invitation_only": false,
            "schedule_data": {"start": "2026-01-15T09:30:00+00:00", "pacing": "instructor"},
        },
        "metadata": {
            "id": "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10", "event_type": CATALOG, "minorversion": 0,
            "source": "openedx/cms/web", "sourcehost": "test", "time": "2026-01-15T09:30:00+00:00",
            "sourcelib": [9, 0, 0], "attempt": 1,
        },
    }));
    let function = plugin.function(&signature(CATALOG)).unwrap();
    let answer = plugin.call(function, &arguments, Arc::new(CallContext::default()), AGES).await;
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
    assert_eq!(archive.asked(), [format!("tried: {COURSE}, 7 archived: true")]);
}

#[test]
fn each_interface_needs_its_grant() {
    let sandbox = sandbox();
    let refused = |name: &str, grants: &[Grant]| {
        let grants = Grants::new(grants.iter().cloned());
        let report = sandbox.admit(&written(name), &contract(), &Granting::These(&grants));
        let problems = report.expect_err("it must be refused").problems.clone();
        problems
            .into_iter()
            .map(|problem| {
                assert_eq!(problem.code, ProblemCode::NotGranted, "{problem}");
                assert!(problem.help.contains(&problem.expected.replace("the grant ", "")), "{problem}");
                (problem.interface.clone().unwrap(), problem.expected.clone())
            })
            .collect::<Vec<_>>()
    };
    let reading = ("hookbox:plugin/course-archive@1.0.0".to_owned(), "the grant archive:read".to_owned());
    let writing =
        ("hookbox:plugin/course-archive-updates@1.0.0".to_owned(), "the grant archive:write".to_owned());
    for name in ["archives-by-mode", "archives-changed-courses"] {
        assert_eq!(refused(name, &[Grant::ArchiveRead]), std::slice::from_ref(&writing), "{name}");
        let mut all = refused(name, &[]);
        all.sort();
        assert_eq!(all, [writing.clone(), reading.clone()], "{name}");
        assert_eq!(refused(name, &[Grant::KeyValue, Grant::FineClock]).len(), 2, "{name}");
    }
    assert_eq!(refused("asks-the-archive-in-a-loop", &[]), [reading]);
}

/// The limit that ended a call of a hostile plugin; the pool is as it was before.
async fn limit_of(name: &str, archive: Arc<dyn CourseArchive>, time: Duration) -> Limit {
    let (sandbox, plugin) = with_archive(name, &[Grant::ArchiveWrite], Some(archive));
    let before = sandbox.pool_use().map(|pool| (pool.component_instances, pool.memories, pool.stacks));
    let start = Instant::now();
    let failure = call_within(&plugin, "/", time).await.expect_err("it must fail");
    assert!(start.elapsed() < AGES / 2, "{name} took {:?}", start.elapsed());
    until("the pool is as it was", || {
        sandbox.pool_use().map(|pool| (pool.component_instances, pool.memories, pool.stacks)) == before
    })
    .await;
    match failure {
        CallFailure::Limit(report) => report.limit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn asking_in_a_loop_ends_with_the_host_calls() {
    let archive = Arc::new(Noted::default());
    assert_eq!(
        limit_of("asks-the-archive-in-a-loop", Arc::clone(&archive) as _, AGES).await,
        Limit::HostCalls
    );
    assert_eq!(archive.asked().len(), 1_000);
}

#[tokio::test]
async fn a_huge_course_key_never_reaches_the_archive() {
    let archive = Arc::new(Noted::default());
    assert_eq!(limit_of("huge-course-key", Arc::clone(&archive) as _, AGES).await, Limit::AnswerBytes);
    assert_eq!(archive.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_loop_while_the_host_answers_ends_with_the_time() {
    let archive = Arc::new(Noted::default());
    let time = Duration::from_millis(500);
    assert_eq!(limit_of("loops-when-the-host-answers", archive, time).await, Limit::Time);
}

/// An archive that never answers, and notes when nobody waits any more.
#[derive(Default)]
struct Silent {
    waiting: AtomicU32,
    left: Arc<AtomicBool>,
}

struct Leaves(Arc<AtomicBool>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl CourseArchive for Silent {
    async fn status(&self, _: &str, _: &str, _: i64) -> Result<Option<ArchiveStatus>, ArchiveFault> {
        pending().await
    }

    async fn statuses(&self, _: &str, _: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault> {
        pending().await
    }

    async fn set_archived(&self, _: &str, _: &str, _: i64, _: bool) -> Result<ArchiveStatus, ArchiveFault> {
        pending().await
    }

    async fn set_last_synced(&self, _: &str, _: &str, _: &str) -> Result<u64, ArchiveFault> {
        let _leaves = Leaves(Arc::clone(&self.left));
        self.waiting.fetch_add(1, Ordering::SeqCst);
        pending().await
    }
}

#[tokio::test]
async fn a_guest_that_waits_for_the_archive_ends_with_the_time() {
    let archive = Arc::new(Silent::default());
    let time = Duration::from_millis(200);
    assert_eq!(limit_of("waits-for-the-archive", Arc::clone(&archive) as _, time).await, Limit::Time);
    assert_eq!(archive.waiting.load(Ordering::SeqCst), 1);
    assert!(archive.left.load(Ordering::SeqCst), "the archive is told that nobody waits");
}

#[tokio::test]
async fn a_guest_that_waits_for_the_archive_stops_nobody_else() {
    let archive = Arc::new(Silent::default());
    let (sandbox, waiting) =
        with_archive("waits-for-the-archive", &[Grant::ArchiveWrite], Some(Arc::clone(&archive) as _));
    let bytes = crate::support::prebuilt("course-about-url");
    let good = crate::support::plugin(&sandbox, &bytes);
    let (ended, answered) = tokio::join!(call_within(&waiting, "/", Duration::from_millis(300)), async {
        // The other one waits inside the host by now, with the same thread.
        until("it waits", || archive.waiting.load(Ordering::SeqCst) == 1).await;
        let answer = call(&good, "http://lms.test/courses/course-v1:a+b+c/about").await;
        assert!(!archive.left.load(Ordering::SeqCst), "it still waits");
        answer
    });
    assert!(matches!(ended, Err(CallFailure::Limit(_))), "{ended:?}");
    assert_eq!(crate::support::new_url(answered), "https://example.com/new_about_page/course-v1:a+b+c");
}
