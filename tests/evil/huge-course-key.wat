;; Asks the course archive for a course whose key has 32 MiB.
;; outcome: fails answer-bytes
;; grants: archive:read
;; import hookbox:plugin/course-archive@1.0.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "hookbox:plugin/course-archive@1.0.0" "get-status" (func $get (param i32 i32 i64 i32)))
  (memory (export "memory") 640)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $get (i32.const 65536) (i32.const 0x2000000) (i64.const 7) (i32.const 512))
    (i32.const 0)))
