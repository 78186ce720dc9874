"""The choice of a text: some that are there, and a visitor's own, typed or as a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from core.shared import own_texts as own
from ui import address, words

__all__ = ["Shelf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The texts of a page, which may all stand in its address."""

    prefix: str  # of the page's keys
    titles: Mapping[str, str]  # of the texts that are there, the usual one first
    read: Callable[[str], object]  # raises ValueError where there is no such text
    about: Callable[[str], str]  # a sentence on a text
    use: str  # what others can do who have the address, as "train on it"
    least: int = own.LEAST  # characters of one's own
    chosen: Callable[[str], object] = lambda _: None  # is told when another one is chosen

    def choose(self, asked: Mapping[str, str]) -> str:
        """Draw the choice; one's own is typed or comes as a file, or by the address of its owner.

        Args:
            asked: what the address asked for when the page was opened.

        Returns: the name of the text.
        """
        key = f"{self.prefix}_text"
        mine = self._mine
        linked = asked.get(key, "")
        if linked:
            try:
                self.read(linked)
            except ValueError as error:
                st.toast(words.plain(str(error)), icon=":material/link_off:", duration="long")
            else:
                if linked not in self.titles and linked not in mine:
                    mine.append(linked)
                st.session_state[key] = linked
        named = dict(self.titles)
        named |= {name: f"Own text {number}" for number, name in enumerate(mine, 1)}
        name: str = st.selectbox(
            "Text",
            list(named),
            format_func=lambda each: named.get(each, each),
            key=key,
            persist_state="session",
            on_change=self._heed,
        )
        address.note(key, name if name != next(iter(self.titles)) else "")
        st.caption(words.plain(self._about(name)))
        with st.popover("Own text", icon=":material/upload:", width="stretch"):
            self._take_in()
        return name

    @property
    def _mine(self) -> list[str]:
        mine: list[str] = st.session_state.setdefault(f"{self.prefix}_own", [])
        return mine

    def _heed(self) -> None:
        self.chosen(st.session_state[f"{self.prefix}_text"])

    def _take_in(self) -> None:
        most = own.LARGEST // 10**6
        st.markdown(
            f"Typed, or a file in UTF-8 of at most {most} MB. It is kept on the server; who has "
            f"your address can {self.use}. A byte-order mark goes, and lines end by one newline."
        )
        typed, file = f"{self.prefix}_own_text", f"{self.prefix}_file"
        with st.form(f"{self.prefix}_own_form", border=False):  # the text comes with the click
            st.text_area("Text", key=typed, label_visibility="collapsed", height=160)
            st.form_submit_button(
                "Take it",
                key=f"{self.prefix}_take",
                on_click=lambda: self._take(
                    st.session_state[typed].encode(errors="surrogatepass")  # it is refused then
                ),
            )
        st.file_uploader("File", key=file, on_change=self._take_file, max_upload_size=most)
        told = st.session_state.get(f"{self.prefix}_told")
        if told:
            (st.success if told[0] else st.warning)(told[1])

    def _take_file(self) -> None:
        given = st.session_state[f"{self.prefix}_file"]
        if given is not None:
            self._take(given.getvalue())

    def _take(self, content: bytes) -> None:
        """Keep a text, and choose it."""
        told = f"{self.prefix}_told"
        try:
            name = own.keep(own.folder(), content, self.least)
        except (ValueError, OSError) as error:
            st.session_state[told] = (False, words.plain(words.sentence(str(error))))
            return
        if name not in self._mine:
            self._mine.append(name)
        st.session_state[f"{self.prefix}_text"] = name
        st.session_state[told] = (True, self._about(name))
        self.chosen(name)

    def _about(self, name: str) -> str:
        try:
            return self.about(name)
        except ValueError as error:
            return words.sentence(str(error))
