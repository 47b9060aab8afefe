;; Lists a hundred archive statuses, and loops for ever when it is asked for room for them.
;; outcome: fails time
;; grants: archive:read
;; import hookbox:plugin/course-archive@1.0.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "hookbox:plugin/course-archive@1.0.0" "list-statuses"
    (func $list (param i32 i32 i32 i32 i64 i32 i32 i32 i64 i32 i32)))
  (memory (export "memory") 1)
  (global $asked (mut i32) (i32.const 0))
  (func $make-room (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (loop $again (br_if $again (global.get $asked)))
    (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (global.set $asked (i32.const 1))
    (call $list (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 100) (i32.const 512))
    (i32.const 0)))
