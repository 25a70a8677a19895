/** Where builds get packages, as the operator sets it; undefined is the public internet. */
export interface BuildSources {
  /** A URL instead of `http://deb.debian.org/debian`, or a line of sources.list(5). */
  aptMirror: string | undefined;
  pipIndexUrl: string | undefined;
  /** HTTP proxy of everything that a step fetches. */
  proxy: string | undefined;
}

/** Returns the lowest layer of a step's environment, which is not part of the image. */
export function buildEnvironment({ pipIndexUrl, proxy }: BuildSources): Record<string, string> {
  return {
    DEBIAN_FRONTEND: "noninteractive",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_CACHE_DIR: "1",
    PIP_ROOT_USER_ACTION: "ignore",
    ...(pipIndexUrl === undefined ? {} : pipEnvironment(new URL(pipIndexUrl))),
    ...(proxy === undefined
      ? {}
      : { http_proxy: proxy, https_proxy: proxy, HTTP_PROXY: proxy, HTTPS_PROXY: proxy }),
  };
}

/** pip accepts an index without TLS only from a host that is configured as trusted. */
function pipEnvironment(index: URL): Record<string, string> {
  return {
    PIP_INDEX_URL: index.href,
    ...(index.protocol === "http:" ? { PIP_TRUSTED_HOST: index.host } : {}),
  };
}

const debianSources = "/etc/apt/sources.list.d/debian.sources";

/**
 * Returns shell lines that set `$options` so that apt-get uses the operator's
 * mirror: a directory of sources that has all of the image's sources but
 * Debian's own. The image itself still names Debian's servers.
 */
export function aptOptionsScript({ aptMirror }: BuildSources, directory: string): string {
  if (aptMirror === undefined) return "options=";
  const parts = `${directory}/apt-sources`;
  const mirror = aptMirror.startsWith("deb ")
    ? `printf '%s\\n' ${quote(aptMirror)} > ${parts}/mirror.list`
    : `sed ${quote(`s|http://deb.debian.org/debian|${aptMirror}|`)} ${debianSources} > ${parts}/debian.sources`;
  return [
    `rm -rf ${parts} && mkdir -p ${parts}`,
    `find /etc/apt/sources.list.d -mindepth 1 ! -path ${debianSources} -exec cp {} ${parts}/ ';'`,
    mirror,
    `options="-o Dir::Etc::SourceParts=${parts}"`,
  ].join("\n");
}

/** Quotes a text as one word of a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
