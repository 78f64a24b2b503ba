/* What the module knows, for state.h. */
#include "bindings/python/src/state.h"

static module_state state;

module_state *state_of_module(void)
{
    return &state;
}
