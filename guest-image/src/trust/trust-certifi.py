

def _opencomputer_trust_certifi():
    """Makes certifi, whose authorities are in the package, return those of the system."""
    import sys

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != "certifi.core":
                return None
            from importlib.machinery import PathFinder

            spec = PathFinder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = executing(spec.loader.exec_module)
            return spec

    def executing(execute):
        def exec_module(module):
            execute(module)
            module.where = lambda: "@trustBundle@"
            module.contents = contents

        return exec_module

    def contents():
        with open("@trustBundle@", encoding="ascii", errors="replace") as bundle:
            return bundle.read()

    sys.meta_path.insert(0, Finder)


_opencomputer_trust_certifi()
del _opencomputer_trust_certifi
