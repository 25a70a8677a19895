/*
 * Preloaded into every program of the guest by /etc/ld.so.preload: sets the variables by which
 * runtimes find the trusted authorities, unless they are set. A program that was started with an
 * empty environment (env -i, cron, a service) trusts the installation as any other does.
 *
 * It replaces no function and has one writable page, because each start of a program pays for it.
 */
extern int setenv(const char *name, const char *value, int overwrite);

/* Text instead of pointers, which the dynamic linker would have to relocate. */
static const char variables[][2][64] = {
#include "trust-variables.inc"
};

__attribute__((constructor)) static void setMissingVariables(void)
{
    for (unsigned index = 0; index < sizeof variables / sizeof *variables; index++)
        setenv(variables[index][0], variables[index][1], 0);
}
