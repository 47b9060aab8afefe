//! What the platform's events say of users, and what becomes of rows meanwhile.

use hookbox_store::{Filter, NewUser, Timestamp, Told, ToldUser, User};
use proptest::prelude::*;

use crate::support::{Place, anyone, assert_sound, new_status, new_user};

const COURSE: &str = "course-v1:edX+DemoX+2026";

fn told(id: i64, username: &str) -> ToldUser {
    let email = Some(format!("{username}@example.com"));
    ToldUser { id, username: username.to_owned(), email, is_active: true }
}

impl Place {
    /// What an event of that moment says.
    async fn tell(&self, user: &ToldUser, at: i64) -> Told {
        let user = user.clone();
        self.write(move |writes| writes.tell_user(&user, Timestamp::from_micros(at))).await
    }

    async fn retire(&self, id: Option<i64>, username: Option<&str>) -> bool {
        let username = username.map(str::to_owned);
        self.write(move |writes| writes.retire_user(id, username.as_deref(), Timestamp::from_micros(9))).await
    }

    /// A token names a user, as the server takes it: who is not known yet is made.
    async fn token(&self, username: &str, id: Option<i64>) -> User {
        let new = NewUser { id, ..new_user(username) };
        self.write(move |writes| match writes.user_by_name(&new.username)? {
            Some(user) => Ok(user),
            None => writes.insert_user(&new),
        })
        .await
    }

    async fn row(&self, user: i64, course: &str, at: i64) {
        let new = new_status(course, user, at);
        self.write(move |writes| writes.insert_status(&new)).await;
    }

    async fn name_of(&self, id: i64) -> Option<String> {
        self.read(move |reads| reads.user_by_id(id)).await.map(|user| user.username)
    }

    /// How many rows somebody has.
    async fn rows_of(&self, id: i64) -> u64 {
        let filter = Filter { user: Some(id), ..anyone() };
        self.read(move |reads| reads.count_statuses(&filter)).await
    }
}

#[tokio::test]
async fn a_user_is_there_before_the_first_request() {
    let place = Place::new();
    assert_eq!(place.tell(&told(42, "ada"), 1).await, Told::Made);
    let ada = place.read(|reads| reads.user_by_id(42)).await.unwrap();
    assert_eq!((ada.username.as_str(), ada.email.as_str()), ("ada", "ada@example.com"));
    assert!(ada.is_active && !ada.is_staff && !ada.is_superuser);
    assert_eq!(place.tell(&told(42, "ada"), 2).await, Told::Unchanged);
    let away = ToldUser { is_active: false, email: None, ..told(42, "ada") };
    assert_eq!(place.tell(&away, 3).await, Told::Updated);
    let ada = place.store.user("ada").await.unwrap().unwrap();
    assert!(!ada.is_active);
    assert_eq!(ada.email, "ada@example.com", "an address that is not told stays");
    for nobody in [told(0, "ada"), told(-1, "ada"), told(i64::MAX, "ada"), told(7, "")] {
        assert_eq!(place.tell(&nobody, 4).await, Told::Unusable);
    }
}

#[tokio::test]
async fn what_comes_late_changes_nothing() {
    let place = Place::new();
    place.tell(&told(42, "lovelace"), 5).await;
    assert_eq!(place.tell(&told(42, "ada"), 4).await, Told::Late);
    assert_eq!(place.tell(&told(43, "lovelace"), 4).await, Told::Late, "the name was taken later");
    assert_eq!(place.name_of(42).await.as_deref(), Some("lovelace"));
    assert_eq!(place.name_of(43).await, None);
    // What says the same counts as having spoken, too.
    assert_eq!(place.tell(&told(42, "lovelace"), 8).await, Told::Unchanged);
    assert_eq!(place.tell(&told(42, "ada"), 7).await, Told::Late);
}

#[tokio::test]
async fn marks_of_tokens_stay() {
    let place = Place::new();
    let ada = place.token("ada", Some(42)).await;
    let staff = User { is_staff: true, is_superuser: true, ..ada };
    let update = staff.clone();
    place.write(move |writes| writes.update_user(&update)).await;
    place.tell(&told(42, "lovelace"), 1).await;
    let renamed = place.store.user("lovelace").await.unwrap().unwrap();
    assert!(renamed.is_staff && renamed.is_superuser && renamed.id == 42);
    assert_eq!(place.store.user("ada").await, Ok(None), "the cache has forgotten the old name");
}

#[tokio::test]
async fn a_made_up_id_becomes_the_platforms_and_the_rows_follow() {
    let place = Place::new();
    let made_up = place.token("ada", None).await.id;
    place.row(made_up, COURSE, 1).await;
    assert!(place.store.user("ada").await.unwrap().is_some());
    assert_eq!(place.tell(&told(42, "ada"), 1).await, Told::Moved);
    assert_eq!(place.store.user("ada").await.unwrap().unwrap().id, 42);
    assert_eq!((place.rows_of(42).await, place.rows_of(made_up).await), (1, 0));
    assert_eq!(place.name_of(made_up).await, None);
    assert_sound(place.path());
}

#[tokio::test]
async fn a_made_up_id_is_left_to_whom_it_belongs() {
    let place = Place::new();
    let bob = place.token("bob", None).await.id;
    place.row(bob, COURSE, 1).await;
    assert_eq!(place.tell(&told(bob, "ada"), 1).await, Told::Made);
    assert_eq!(place.name_of(bob).await.as_deref(), Some("ada"));
    assert_eq!(place.rows_of(bob).await, 0, "nobody is given another's rows");
    let moved = place.store.user("bob").await.unwrap().unwrap().id;
    assert_eq!(place.rows_of(moved).await, 1);
    assert_eq!(place.tell(&told(77, "bob"), 1).await, Told::Moved);
    assert_eq!(place.rows_of(77).await, 1);
    assert_sound(place.path());
}

#[tokio::test]
async fn a_renamed_user_who_came_back_by_a_token_is_one_user_again() {
    let place = Place::new();
    place.tell(&told(42, "ada"), 1).await;
    place.row(42, COURSE, 10).await;
    place.row(42, "course-v1:edX+Old+1", 10).await;
    let twin = place.token("lovelace", None).await.id;
    place.row(twin, COURSE, 20).await;
    place.row(twin, "course-v1:edX+New+1", 20).await;
    assert_eq!(place.tell(&told(42, "lovelace"), 2).await, Told::Moved);
    assert_eq!((place.rows_of(42).await, place.rows_of(twin).await), (3, 0));
    let row = place.read(|reads| reads.status_of(COURSE, 42)).await.unwrap();
    assert_eq!(row.updated_at, Timestamp::from_micros(20), "the one that was changed last stays");
    assert_eq!(place.store.user("lovelace").await.unwrap().unwrap().id, 42);
    assert_sound(place.path());
}

#[tokio::test]
async fn a_name_can_pass_to_another_user_and_rows_do_not() {
    let place = Place::new();
    place.tell(&told(1, "ada"), 1).await;
    place.row(1, COURSE, 1).await;
    assert_eq!(place.tell(&told(2, "ada"), 2).await, Told::Made);
    assert_eq!(place.store.user("ada").await.unwrap().unwrap().id, 2);
    assert_eq!(place.name_of(1).await.as_deref(), Some("#1"));
    assert_eq!((place.rows_of(1).await, place.rows_of(2).await), (1, 0));
    assert_eq!(place.tell(&told(1, "lovelace"), 3).await, Told::Updated);
    assert_eq!(place.name_of(1).await.as_deref(), Some("lovelace"));
    // Two that swap their names.
    place.tell(&told(1, "ada"), 4).await;
    place.tell(&told(2, "lovelace"), 4).await;
    assert_eq!(place.name_of(1).await.as_deref(), Some("ada"));
    assert_eq!(place.name_of(2).await.as_deref(), Some("lovelace"));
    assert_eq!(place.rows_of(1).await, 1);
    assert_sound(place.path());
}

#[tokio::test]
async fn a_retired_user_and_the_rows_are_gone_for_good() {
    let place = Place::new();
    place.tell(&told(42, "ada"), 1).await;
    place.row(42, COURSE, 1).await;
    let bob = place.token("bob", None).await.id;
    place.row(bob, COURSE, 1).await;
    assert!(place.retire(Some(42), Some("retired-1")).await);
    assert_eq!(place.rows_of(42).await, 0);
    assert_eq!(place.store.user("ada").await, Ok(None));
    assert_eq!(place.tell(&told(42, "ada"), 100).await, Told::Retired, "an event brings nobody back");
    assert!(!place.retire(Some(42), Some("ada")).await, "the second time there is nobody");
    assert!(!place.retire(Some(bob), None).await, "an id that was made up is nobody's");
    assert_eq!(place.rows_of(bob).await, 1);
    assert!(place.retire(Some(77), Some("bob")).await, "by the name");
    assert_eq!(place.rows_of(bob).await, 0);
    assert_eq!(place.tell(&told(77, "bob"), 100).await, Told::Retired);
    place.tell(&told(5, "eve"), 1).await;
    assert!(!place.retire(Some(6), Some("eve")).await, "the name is another account's");
    assert!(place.retire(None, Some("eve")).await);
    assert_eq!(place.tell(&told(5, "eve"), 100).await, Told::Retired);
    // Whom a token of the platform names is there again.
    assert_eq!(place.token("ada", Some(42)).await.id, 42);
    assert_eq!(place.tell(&told(42, "lovelace"), 101).await, Told::Updated);
    assert_sound(place.path());
}

#[tokio::test]
async fn what_cannot_be_applied_undoes_itself_and_nothing_else() {
    let place = Place::new();
    place.tell(&told(1, "ada"), 1).await;
    // Somebody has the very name that a user without one would get.
    place.tell(&told(3, "#1"), 1).await;
    let done = place.store.write(|writes| {
        writes.insert_user(&new_user("bob"))?;
        let failed = writes.tell_user(&told(2, "ada"), Timestamp::from_micros(2));
        writes.insert_user(&new_user("eve"))?;
        failed.map(|_| ()).or(Ok::<_, hookbox_store::StoreError>(()))
    });
    done.await.unwrap();
    assert_eq!(place.name_of(1).await.as_deref(), Some("ada"));
    assert_eq!(place.name_of(2).await, None);
    for name in ["bob", "eve"] {
        assert!(place.store.user(name).await.unwrap().is_some());
    }
}

/// Something that happens on a platform whose users keep their names.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody sends a request that makes a row, with a token that may tell the id.
    Request { person: usize, with_id: bool },
    /// An event speaks of somebody.
    Event { person: usize, at: i64 },
}

const NAMES: [&str; 5] = ["ada", "bob", "eve", "joe", "zoe"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 0..NAMES.len();
    prop::collection::vec(
        prop_oneof![
            (person.clone(), any::<bool>()).prop_map(|(person, with_id)| Step::Request { person, with_id }),
            (person, 0..20_i64).prop_map(|(person, at)| Step::Event { person, at }),
        ],
        0..25,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Ids are small, so that those which are made up are often somebody else's.
    #[test]
    fn in_the_end_everybody_has_the_platforms_id_and_all_their_own_rows(
        ids in Just((1..=8_i64).collect::<Vec<_>>()).prop_shuffle(),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut made = [0_u64; NAMES.len()];
            for step in steps {
                match step {
                    Step::Request { person, with_id } => {
                        let user = place.token(NAMES[person], with_id.then_some(ids[person])).await;
                        place.row(user.id, &format!("course-v1:{}+{}+1", NAMES[person], made[person]), 1).await;
                        made[person] += 1;
                    }
                    Step::Event { person, at } => {
                        place.tell(&told(ids[person], NAMES[person]), at).await;
                    }
                }
            }
            for (person, name) in NAMES.iter().enumerate() {
                place.tell(&told(ids[person], name), 100).await;
            }
            for (person, name) in NAMES.iter().enumerate() {
                assert_eq!(place.name_of(ids[person]).await.as_deref(), Some(*name));
                assert_eq!(place.rows_of(ids[person]).await, made[person], "{name}");
            }
            assert_sound(place.path());
        });
    }
}
