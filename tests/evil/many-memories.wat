;; Has nine memories, more than a plugin may.
;; outcome: refused too-complex
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (i32.const 0)))
