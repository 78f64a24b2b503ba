/* A target with a bug, which must be found: shows that the others would be. */
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes >= 3 && data[0] == 'b' && data[1] == 'u' && data[2] == 'g')
        abort();
    return 0;
}
