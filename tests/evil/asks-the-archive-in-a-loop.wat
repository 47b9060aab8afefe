;; Asks the course archive for a status 10,000 times.
;; outcome: fails host-calls
;; grants: archive:read
;; import hookbox:plugin/course-archive@1.0.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "hookbox:plugin/course-archive@1.0.0" "get-status" (func $get (param i32 i32 i64 i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "course-v1:edX+DemoX+1")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $ask-again
    (local $left i32)
    (local.set $left (i32.const 10000))
    (loop $again
      (call $get (i32.const 256) (i32.const 21) (i64.const 7) (i32.const 512))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $ask-again)
    (i32.const 0)))
