;; Asks the course archive to mark a course as synced, however long that takes.
;; outcome: answers
;; grants: archive:write
;; import hookbox:plugin/course-archive-updates@1.0.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "hookbox:plugin/course-archive-updates@1.0.0" "set-last-synced" (func $sync (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "course-v1:edX+DemoX+1")
  (data (i32.const 320) "2026-01-02T03:04:05+00:00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $sync (i32.const 256) (i32.const 21) (i32.const 320) (i32.const 25) (i32.const 512))
    (i32.const 0)))
