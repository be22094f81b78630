/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sanitizer: MRG_IS_SANITIZED is 1 where the build watches memory or threads, so that code
 * which is clever about memory can be plain there.
 */
#ifndef MRG_SANITIZER_H
#define MRG_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MRG_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define MRG_IS_SANITIZED 1
#endif
#endif

#ifndef MRG_IS_SANITIZED
#define MRG_IS_SANITIZED 0
#endif

#endif
