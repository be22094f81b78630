/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "render/render.h"

G_DEFINE_QUARK(merganser-render-error, mrg_render_error)
