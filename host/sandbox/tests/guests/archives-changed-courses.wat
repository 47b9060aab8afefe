;; Archives each course whose catalogue information changes, for user 7. Rejects the event with the archive's words when
;; that cannot be. It only writes, and imports nothing for reading.
;; import hookbox:plugin/course-archive-updates@1.0.0;
;; export openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0;
(module
  (import "hookbox:plugin/course-archive-updates@1.0.0" "set-archived" (func $set (param i32 i32 i64 i32 i32)))
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  ;; The arguments lie in memory, the course's key first.
  (func $receive (export "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0#receive")
    (param $event i32) (result i32)
    (call $set (i32.load (local.get $event)) (i32.load offset=4 (local.get $event))
      (i64.const 7) (i32.const 1) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048))
      (then
        (i32.store8 (i32.const 1024) (i32.const 1))
        (i32.store8 (i32.const 1028) (i32.const 1))
        (i32.store (i32.const 1032) (i32.load (i32.const 2060)))
        (i32.store (i32.const 1036) (i32.load (i32.const 2064)))))
    (i32.const 1024)))
