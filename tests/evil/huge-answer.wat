;; Answers with a string of 32 MiB.
;; outcome: fails answer-bytes
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 640)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some url
    (i32.store (i32.const 12) (i32.const 65536))
    (i32.store (i32.const 16) (i32.const 0x2000000))
    (i32.const 0)))
