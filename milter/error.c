/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/error.h"

G_DEFINE_QUARK(merganser - error, mrg_error)
