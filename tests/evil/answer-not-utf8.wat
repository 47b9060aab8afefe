;; Answers with bytes that are no UTF-8.
;; outcome: fails trap
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (data (i32.const 256) "\ff\fe\fd")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some url
    (i32.store (i32.const 12) (i32.const 256))
    (i32.store (i32.const 16) (i32.const 3))
    (i32.const 0)))
