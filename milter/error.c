/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/error.h"

GQuark
mrg_error_quark(void)
{
    return g_quark_from_static_string("merganser-error");
}
