/* The generation of the machine, mapped into Node.js so that changes appear without a system call. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <node_api.h>

#define GENERATION_PATH "/run/opencomputer/generation.map"
#define GENERATION_BYTES 16

/* mapGeneration(): an ArrayBuffer that must not be written to; undefined when the file does not exist. */
static napi_value mapGeneration(napi_env env, napi_callback_info info)
{
    (void)info;
    int file = open(GENERATION_PATH, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    void *mapped = MAP_FAILED;
    if (lseek(file, 0, SEEK_END) >= GENERATION_BYTES)
        mapped = mmap(NULL, GENERATION_BYTES, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        return NULL;
    napi_value buffer;
    if (napi_create_external_arraybuffer(env, mapped, GENERATION_BYTES, NULL, NULL, &buffer) == napi_ok)
        return buffer;
    munmap(mapped, GENERATION_BYTES);
    return NULL;
}

NAPI_MODULE_INIT()
{
    napi_property_descriptor property = {"mapGeneration", NULL, mapGeneration, NULL, NULL, NULL, napi_default, NULL};
    return napi_define_properties(env, exports, 1, &property) == napi_ok ? exports : NULL;
}
